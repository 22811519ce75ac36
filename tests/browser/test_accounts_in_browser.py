"""Accounts in a real browser: log in, make a token, invite somebody, who then lets themselves in."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.api.http.guarding import PASSWORD, Guarded, guarded_api, people
from tests.browser.test_accessibility import violations

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("accounts")) as guarded:
        await people(guarded)
        yield guarded


async def login(page: Page, house: Guarded, user: str, path: str = "/") -> None:
    await page.goto(house.served.url + path)
    await page.get_by_label("User").fill(user)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator(".account")).to_have_text(user)


async def test_a_page_that_asks_for_a_login_is_led_to_afterwards(page: Page, house: Guarded) -> None:
    await login(page, house, "viewer", "/reviews?board=ops")
    await expect(page).to_have_url(f"{house.served.url}/reviews?board=ops")
    await expect(page.get_by_role("link", name="Users")).to_have_count(0)


async def test_a_token_is_made_shown_once_and_revoked(page: Page, house: Guarded) -> None:
    await login(page, house, "operator", "/account")
    await page.get_by_label("What it is for").fill("nightly import")
    await page.get_by_label("runs.read").check()
    await page.get_by_role("button", name="Make token").click()
    secret = page.locator("#secret code")
    await expect(secret).to_have_text(re.compile(r"^prism_"))
    await expect(page.locator("#tokens")).to_contain_text("nightly import")
    await page.reload()
    await expect(secret).to_have_count(0)
    await page.locator("#tokens").get_by_role("button", name="Revoke").click()
    await expect(page.locator("#tokens")).not_to_contain_text("nightly import")


async def test_a_wrong_current_password_changes_nothing_and_says_so(page: Page, house: Guarded) -> None:
    await login(page, house, "reviewer", "/account")
    await page.get_by_label("Current password").fill("not this one")
    await page.get_by_label("New password").fill("another long password")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.locator(".toast.bad")).to_have_text("user or password is wrong")


async def test_somebody_is_invited_given_a_board_and_lets_themselves_in(
    page: Page, browser: Browser, house: Guarded
) -> None:
    await login(page, house, "admin", "/users")
    form = page.locator("aside form")
    await form.get_by_label("Name").fill("ana")
    await form.get_by_label("viewer", exact=True).check()
    await form.get_by_label(re.compile("Roles on single boards")).fill("treasury=reviewer")
    await form.get_by_role("button", name="Create").click()
    link = await page.locator("#secret code").inner_text()
    await expect(page.locator("#users")).to_contain_text("treasury: reviewer")
    context = await browser.new_context()
    other = await context.new_page()
    await other.goto(link)
    await other.get_by_label("New password").fill("a long password of mine")
    await other.get_by_role("button", name="Set password and log in").click()
    await expect(other.locator(".account")).to_have_text("ana")
    await page.get_by_text("ana", exact=True).click()
    await page.locator("details[open]").get_by_label("Disabled: cannot log in").check()
    await page.locator("details[open]").get_by_role("button", name="Save").click()
    await expect(page.locator("details[open] .pill")).to_have_text("disabled")
    await other.reload()
    await expect(other.get_by_role("heading", name="Log in")).to_be_visible()
    await context.close()


async def test_the_last_administrator_stays(page: Page, house: Guarded) -> None:
    await login(page, house, "admin", "/users")
    await page.locator("#users summary", has_text="admin").click()
    opened = page.locator("details[open]")
    await opened.get_by_label("Disabled: cannot log in").check()
    await opened.get_by_role("button", name="Save").click()
    await expect(page.locator(".toast.bad")).to_contain_text("is the last administrator")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", ["/account", "/users"])
async def test_the_pages_are_accessible_and_do_not_scroll_sideways(
    browser: Browser, house: Guarded, path: str, scheme: str, width: int, tmp_path: Path
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await login(page, house, "admin")
    state = tmp_path / "state.json"
    await context.storage_state(path=state)
    assert await violations(browser, house.served.url + path, scheme, width, state) == []
    await page.set_viewport_size({"width": width, "height": 844})
    await page.goto(house.served.url + path)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await context.close()
