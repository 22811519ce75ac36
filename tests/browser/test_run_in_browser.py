"""The page of a run in a browser: its graph, and what steers it."""

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from activities.records.contracts import RowState, RunState
from tests.api.http.seeding import Seed, Seeder
from tests.api.http.serving import Serving
from tests.browser.conftest import HOSTILE
from tests.browser.test_console_in_browser import DROP

pytestmark = pytest.mark.xdist_group("browser")

CELL = HOSTILE.replace('"', '""')
WAITING = (
    "id,title,objective,review,depends_on\n"
    f'first,"{CELL}",Say one,required,\n'
    "second,Second,Say two,,first\n"
    "third,Third,Say three,,first\n"
    "last,Last,Say four,,second third\n"
)

# What the server sends while a model writes: the part asks for itself.
ASK_FOR_TEXT = """() => {
  const part = document.querySelector("#output");
  const asks = { get: location.pathname, trigger: "every 50ms", select: "#output", swap: "morph:outerHTML" };
  for (const [name, value] of Object.entries(asks)) part.setAttribute(`hx-${name}`, value);
  htmx.process(part);
}"""


@pytest.fixture
async def waiting(page: Page, console: Serving) -> str:
    """The address of a run, open in the page, whose first row waits for a person and holds up the others."""
    await page.goto(console.url)
    await page.evaluate(DROP, [WAITING, "waiting.csv"])
    await page.wait_for_url("**/runs/*")
    await expect(page.locator("#picture .node").first).to_contain_text("review")
    return page.url


async def test_the_graph_shows_every_row_its_state_and_what_it_depends_on(page: Page, waiting: str) -> None:
    nodes = page.locator("#picture .node")
    await expect(nodes).to_have_count(4)
    await expect(page.locator("#picture .edges path")).to_have_count(4)
    await expect(nodes.nth(3)).to_have_attribute("aria-label", "Last: pending; depends on second, third")
    await expect(nodes.nth(0)).to_have_attribute("aria-label", f"{HOSTILE}: review")
    left = [(await nodes.nth(number).locator("rect").bounding_box() or {})["x"] for number in range(4)]
    assert left[0] < left[1] == left[2] < left[3]


async def test_the_keyboard_goes_from_a_box_to_its_row(page: Page, waiting: str) -> None:
    await page.locator("#graph-scroll").focus()
    await page.keyboard.press("Tab")
    await expect(page.locator("#picture .node").first).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{waiting}/rows/second")


async def test_a_row_is_skipped_and_the_graph_tells_without_reload(page: Page, waiting: str) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    await page.evaluate("window.kept = true")
    await page.get_by_role("button", name="Skip second").click()
    nodes = page.locator("#picture .node")
    await expect(nodes.nth(1)).to_contain_text("skipped")
    await expect(nodes.nth(3)).to_contain_text("blocked")
    assert await page.evaluate("window.kept")
    await expect(page.get_by_role("button", name="Skip second")).to_have_count(0)


async def test_the_number_of_rows_at_once_is_changed(page: Page, waiting: str) -> None:
    await page.get_by_label("Rows at once").fill("3")
    await page.get_by_role("button", name="Change").click()
    await expect(page.locator("#toasts")).to_contain_text("Up to 3 rows at once")
    await expect(page.locator("#overview")).to_contain_text("3 rows at once")
    await page.get_by_label("Rows at once").fill("0")
    await page.get_by_role("button", name="Change").click()
    assert await page.locator("#limit:invalid").count() == 1


async def test_a_large_run_is_drawn_board_by_board(page: Page, console: Serving) -> None:
    rows = [
        Seed(
            f"{board}/{number}",
            f"Row {number}",
            "x",
            state=RowState.PENDING,
            upstream=[f"{board}/{number - 1}"] if number % 10 else [],
        )
        for board, many in (("large", 160), ("small", 40))
        for number in range(many)
    ]
    await Seeder(console.settings, console.services.stores).run("wide", "Wide", rows, state=RunState.PAUSED)
    await page.goto(f"{console.url}/runs/wide")
    await expect(page.locator("#picture svg.bar")).to_have_count(2)
    await expect(page.locator("#picture .node")).to_have_count(0)
    await page.locator("#picture").get_by_role("link", name="small").click()
    await expect(page.locator("#picture .node")).to_have_count(40)
    await expect(page.locator("#picture .edges path")).to_have_count(36)
    await expect(page.locator("#rows tbody tr")).to_have_count(40)
    await page.get_by_role("link", name="Clear").click()
    await page.locator("#picture").get_by_role("link", name="large").click()
    await expect(page.locator("#rows-title")).to_have_text("Rows of large")
    await expect(page.locator("#picture .node")).to_have_count(0)


async def test_text_that_arrives_after_the_whole_page_is_left_out(page: Page, waiting: str) -> None:
    await page.goto(f"{waiting}/rows/first")
    held = asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.headers.get("hx-target") == "output":
            await held.wait()
        await route.continue_()

    await page.route("**/rows/first", late)
    async with page.expect_request(lambda request: request.headers.get("hx-target") == "output"):
        await page.evaluate(ASK_FOR_TEXT)
    await page.evaluate(
        "htmx.ajax('GET', location.pathname, { target: '#main', select: '#main', swap: 'morph:outerHTML' })"
    )
    await expect(page.locator("#output[hx-get]")).to_have_count(0)
    async with page.expect_event("requestfinished", lambda request: request.headers.get("hx-target") == "output"):
        held.set()
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await expect(page.locator("h1")).to_have_count(1)
