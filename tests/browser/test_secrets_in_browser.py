"""Secrets as an administrator keeps them in a browser: a value is typed unseen and shown nowhere after."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.api.http.guarding import Guarded, guarded_api, people
from tests.browser.test_accessibility import AXE, JUDGE, LEVELS
from tests.browser.test_accounts_in_browser import log_in

pytestmark = pytest.mark.xdist_group("browser")

CANARY = "sk-canary-in-browser"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("secrets")) as guarded:
        yield guarded


async def test_an_administrator_sets_replaces_and_removes_a_secret(page: Page, api: Guarded) -> None:
    await people(api)
    await log_in(page, api, "admin", then="/system")
    await page.get_by_role("link", name="Secrets").click()
    await expect(page.get_by_text("There are no secrets yet")).to_be_visible()
    await page.get_by_text("Set a secret").click()
    form = page.locator("[data-account=secret]")
    await form.get_by_label("Name").fill("webhooks/audit")
    await form.get_by_label("Value").fill(CANARY)
    await form.get_by_role("button", name="Keep").click()
    row = page.locator("tr", has_text="webhooks/audit")
    await expect(row).to_contain_text("v1")
    page.on("dialog", lambda dialog: dialog.accept())
    await row.get_by_role("button", name="Replace").click()
    await expect(row).to_contain_text("v2, v1")
    assert CANARY not in await page.content()
    await page.evaluate(AXE)
    assert await page.evaluate(JUDGE, LEVELS) == []
    await row.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("There are no secrets yet")).to_be_visible()
    viewer = await api.client("viewer")
    async with viewer:
        assert "/secrets" not in (await viewer.get("/system", headers={"accept": "text/html"})).text
