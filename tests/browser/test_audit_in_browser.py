"""The audit page as an administrator uses it: filter, look, verify, and see that somebody tampered."""

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from activities.audit.contracts import AuditEvent, AuditKind
from activities.audit.log import append
from tests.api.http.serving import Serving
from tests.browser.conftest import HOSTILE

pytestmark = pytest.mark.xdist_group("browser")


async def test_an_administrator_filters_verifies_and_sees_tampering(page: Page, console: Serving) -> None:
    engine = console.services.stores.engine
    with engine.begin() as connection:
        paused = AuditEvent(kind=AuditKind.RUN_PAUSED, actor="ana", subject=HOSTILE, detail={"reason": HOSTILE})
        append(connection, *(paused for _ in range(60)))
    await page.goto(f"{console.url}/audit?actor=ana")
    rows = page.locator(".entries tbody tr")
    await expect(rows).to_have_count(50)
    await expect(rows.first).to_contain_text(HOSTILE)
    await rows.first.get_by_text("Detail").click()
    await expect(rows.first.locator("pre")).to_contain_text("<script>document.title='owned'</script>")
    await page.get_by_role("link", name="Older entries").click()
    await expect(rows).to_have_count(10)
    # Before a page's script runs, only what HTML does by itself works.
    await page.wait_for_load_state()
    await page.get_by_label("What").select_option("login")
    await expect(page.locator(".empty")).to_have_text("No entry matches.")
    await page.wait_for_load_state()

    await page.get_by_role("button", name="Verify").click()
    await expect(page.locator("#verified .ok")).to_contain_text("The log is whole")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export").click()
    assert (await download.value).suggested_filename == "audit.jsonl"

    triggers = "SELECT sql FROM sqlite_master WHERE name = 'audit_entries_no_update'"
    with engine.begin() as connection:
        guard = connection.scalar(text(triggers))
        connection.execute(text("DROP TRIGGER audit_entries_no_update"))
        connection.execute(text("UPDATE audit_entries SET actor = 'eve' WHERE actor = 'ana' AND sequence % 30 = 0"))
        connection.exec_driver_sql(str(guard))
    await page.get_by_role("button", name="Verify").click()
    await expect(page.locator("#verified .bad")).to_contain_text("The log was tampered with: 2 faults")
    assert await page.locator("main img").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
async def test_the_audit_page_never_scrolls_sideways(page: Page, console: Serving, width: int, scheme: str) -> None:
    with console.services.stores.engine.begin() as connection:
        append(connection, AuditEvent(kind=AuditKind.RUN_CONCURRENCY, actor="a" * 63, subject="run/" + "b" * 300))
    await page.set_viewport_size({"width": width, "height": 844})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(f"{console.url}/audit")
    for summary in await page.get_by_text("Detail").all():
        await summary.click()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
