"""Accounts as people use them in a browser: an administrator invites somebody, who keeps house in their own account."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from activities.identity.contracts import BoardGrant, Caller, Role, Via
from tests.api.http.guarding import PASSWORD, Guarded, guarded_api, people
from tests.browser.conftest import opened_page
from tests.browser.test_accessibility import AXE, JUDGE, LEVELS

pytestmark = pytest.mark.xdist_group("browser")

OTHER = "four words of hers"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("accounts")) as guarded:
        yield guarded


@pytest.fixture(scope="module")
async def guarded(api: Guarded) -> Guarded:
    await people(api)
    return api


async def log_in(page: Page, guarded: Guarded, user: str, password: str = PASSWORD, then: str = "/account") -> None:
    await page.goto(guarded.served.url + then)
    await page.get_by_label("User").fill(user)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"**{then}")


async def test_a_page_that_asks_for_a_login_is_led_to_afterwards(page: Page, guarded: Guarded) -> None:
    await log_in(page, guarded, "viewer", then="/reviews?board=ops")
    await expect(page.get_by_role("link", name="Users")).to_have_count(0)
    await page.get_by_title("Your account").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("viewer")


@asynccontextmanager
async def another(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    yield await opened_page(context)
    await context.close()


async def test_an_administrator_invites_somebody_who_lets_themselves_in(
    page: Page, browser: Browser, guarded: Guarded
) -> None:
    await log_in(page, guarded, "admin", then="/users")
    await page.get_by_text("New user").click()
    form = page.locator("[data-account=user]")
    await form.get_by_label("Name").fill("ana")
    await form.get_by_label("reviewer").check()
    await form.get_by_role("button", name="Add a board").click()
    await form.get_by_label("Board", exact=True).fill("ops")
    await form.get_by_label("Role on it").select_option("submitter")
    await form.get_by_role("button", name="Create user").click()
    link = await page.get_by_label("The way in for ana").input_value()
    await expect(page.locator("[data-person=ana] summary")).to_contain_text("submitter on ops")
    await expect(page.locator("[data-person=ana] .state")).to_have_text("invited")
    await page.reload()
    await expect(page.get_by_label("The way in for ana")).to_have_count(0)

    async with another(browser) as hers:
        await hers.goto(link)
        await hers.get_by_label("New password").fill(OTHER)
        await hers.get_by_role("button", name="Set password and log in").click()
        await hers.goto(f"{guarded.served.url}/account")
        await expect(hers.get_by_role("heading", level=1)).to_have_text("ana")
        await expect(hers.get_by_role("link", name="Users")).to_have_count(0)
        assert (await hers.goto(f"{guarded.served.url}/users")).status == 403  # type: ignore[union-attr]
        page.on("dialog", lambda dialog: dialog.accept())
        await page.locator("[data-person=ana] summary").click()
        await page.locator("[data-person=ana]").get_by_role("button", name="Disable").click()
        await expect(page.locator("[data-person=ana] .state")).to_have_text("disabled")
        await hers.reload()
        await expect(hers.get_by_role("heading", name="Log in")).to_be_visible()
    user = await guarded.served.services.identity.users.get("ana")
    assert (user.roles, user.boards) == ((Role.REVIEWER,), (BoardGrant(board="ops", role=Role.SUBMITTER),))


async def test_an_administrator_changes_disables_and_resets(page: Page, guarded: Guarded) -> None:
    users = guarded.served.services.identity.users
    await log_in(page, guarded, "admin", then="/users")
    page.on("dialog", lambda dialog: dialog.accept())
    boarder = page.locator("[data-person=boarder]")
    await boarder.locator("summary").press("Enter")
    await boarder.get_by_role("checkbox", name="operator").check()
    await boarder.get_by_role("button", name="Remove").first.click()
    await boarder.get_by_role("button", name="Save").press("Enter")
    await expect(boarder.locator("summary")).to_contain_text("operator")
    changed = await users.get("boarder")
    assert (changed.roles, len(changed.boards)) == ((Role.OPERATOR,), 1)

    await boarder.get_by_role("button", name="Reset password").click()
    await expect(page.get_by_label("The way in for boarder")).to_be_visible()
    await expect(boarder.locator(".state")).to_have_text("invited")
    await boarder.get_by_role("button", name="Disable").click()
    await expect(boarder.locator(".state")).to_have_text("disabled")
    await boarder.get_by_role("button", name="Enable").click()
    await expect(boarder.locator(".state")).to_have_text("invited")


async def test_a_board_of_any_name_keeps_its_grant(page: Page, guarded: Guarded) -> None:
    users = guarded.served.services.identity.users
    odd = tuple(BoardGrant(board=name, role=Role.VIEWER) for name in ('"q" <b>&', "a;b", "x=viewer; ops"))
    await users.create("odd", [], odd)
    await log_in(page, guarded, "admin", then="/users")
    card = page.locator("[data-person=odd]")
    await card.locator("summary").click()
    await card.get_by_role("button", name="Save").click()
    await expect(page.locator(".toast")).to_have_text("odd is changed")
    assert (await users.get("odd")).boards == odd


async def test_what_is_refused_is_said_beside_the_form(page: Page, guarded: Guarded) -> None:
    await log_in(page, guarded, "admin", then="/users")
    admin = page.locator("[data-person=admin]")
    await admin.locator("summary").click()
    await admin.get_by_label("admin").uncheck()
    await admin.get_by_role("button", name="Save").click()
    await expect(admin.get_by_role("alert")).to_contain_text("admin is the last administrator")
    await page.get_by_text("New user").click()
    form = page.locator("[data-account=user]")
    await form.get_by_label("Name").fill("viewer")
    await form.get_by_role("button", name="Create user").click()
    await expect(form.get_by_role("alert")).to_contain_text("there is a user viewer already")


async def test_a_token_is_shown_once_works_and_is_revoked(page: Page, guarded: Guarded) -> None:
    await log_in(page, guarded, "submitter")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_text("New token").click()
    form = page.locator("[data-account=token]")
    await expect(form.get_by_label("manage users")).to_have_count(0)
    await form.get_by_label("What it is for").fill("nightly <b>build</b>")
    await form.get_by_role("button", name="Make token").click()
    await expect(form.get_by_role("alert")).to_have_text("Tick what the token may do.")
    await form.get_by_label("see runs and rows").check()
    await form.get_by_role("button", name="Make token").click()
    secret = await page.locator("#made input").input_value()
    await expect(page.locator("#tokens")).to_contain_text("nightly <b>build</b>")
    async with await guarded.client(token=secret) as client:
        assert (await client.get("/api/v1/runs")).status_code == 200
        await page.get_by_role("button", name="Revoke").click()
        await expect(page.locator("#tokens")).to_contain_text("You have no tokens.")
        assert (await client.get("/api/v1/runs")).status_code == 401
    await page.reload()
    assert secret not in await page.content()


async def test_sessions_end_a_password_changes_and_one_logs_out(page: Page, guarded: Guarded) -> None:
    identity = guarded.served.services.identity
    caller = Caller(address="192.0.2.7", agent="curl/8")
    for _ in range(2):
        await identity.sessions.open("operator", Via.SESSION, caller)
    await log_in(page, guarded, "operator")
    sessions = page.locator("#sessions li")
    await expect(sessions).to_have_count(3)
    await expect(sessions.filter(has_text="this one").get_by_role("button")).to_have_count(0)
    await sessions.filter(has_text="192.0.2.7").first.get_by_role("button").click()
    await expect(sessions).to_have_count(2)

    form = page.locator("[data-account=password]")
    await form.get_by_label("Current password").fill("not that one at all")
    await form.get_by_label("New password").fill(OTHER)
    await form.get_by_role("button").click()
    await expect(form.get_by_role("alert")).to_have_text("user or password is wrong")
    await form.get_by_label("Current password").fill(PASSWORD)
    await form.get_by_role("button").click()
    await expect(sessions).to_have_count(1)
    await page.get_by_role("button", name="Log out").click()
    await page.wait_for_url("**/login")
    await log_in(page, guarded, "operator", OTHER)


@pytest.mark.parametrize("path", ["/account", "/users"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (768, "light"), (390, "dark")])
async def test_a_page_of_accounts_violates_no_rule(
    browser: Browser, guarded: Guarded, path: str, scheme: str, width: int
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    _, cookie = await guarded.served.services.identity.sessions.open("admin", Via.COOKIE, Caller(agent="Browser"))
    await context.add_cookies([{"name": "prism_session", "value": cookie, "url": guarded.served.url}])
    await page.goto(guarded.served.url + path)
    await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    await page.evaluate(AXE)
    assert await page.evaluate(JUDGE, LEVELS) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await context.close()
