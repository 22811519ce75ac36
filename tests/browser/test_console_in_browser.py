"""The console as a person uses it: drop a file, see what is wrong, watch the run, read a row, decide."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from api.estimate_models import Estimate, GroupEstimate, Shortage
from tests.api.http.serving import Serving
from tests.browser.conftest import HOSTILE

pytestmark = pytest.mark.xdist_group("browser")

CELL = HOSTILE.replace('"', '""')
INVALID = f'id,task,objective,deadline\na,one,Say one,soon\na,two,,8h\nb,"{CELL}",x,"{CELL}"\n'
VALID = (
    f"board,task,title,objective,verification,review\n"
    f'ops,one,"{CELL}","Say {CELL}",contains: Answer; is kind,\n'
    f"ops,two,Second,Say two,contains: never said; max_words: 900; is kind; is short,\n"
    f"ops,three,Third,Say three,,required\n"
)
DROP = """([text, name]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: "text/csv" }));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.querySelector("#drop").dispatchEvent(
      new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
  }
}"""


async def submitted(page: Page, console: Serving, name: str) -> str:
    """Drop the valid catalog and return the address of its run."""
    await page.goto(console.url)
    await page.evaluate(DROP, [VALID, f"{name}.csv"])
    await page.wait_for_url("**/runs/*")
    return page.url


async def test_an_invalid_catalog_shows_all_its_errors_in_place(page: Page, console: Serving) -> None:
    await page.goto(console.url)
    await page.evaluate(DROP, [INVALID, "broken.csv"])
    table = page.locator("#verdict table").first
    await expect(table).to_be_visible()
    assert await table.locator("thead th").all_inner_texts() == [
        "Line", "Row", "Column", "Problem", "Found", "Expected",
    ]  # fmt: skip
    await expect(page.locator("#verdict .bad")).to_contain_text(re.compile(r"broken\.csv has \d errors"))
    first = table.locator("tbody tr").first.locator("td")
    await expect(first.nth(0)).to_have_text("2")
    await expect(first.nth(2)).to_have_text("deadline")
    await expect(first.nth(4)).to_have_text("soon")
    await expect(table).to_contain_text("<script>")
    assert page.url.rstrip("/") == console.url
    assert "owned" not in await page.title()


async def test_what_costs_money_is_told_and_asked_before_it_starts(page: Page, console: Serving) -> None:
    short = Shortage(budget="day", period="today", left_usd=0.5, usd=0.75, most_usd=1.5, certain=True)
    group = GroupEstimate(group="<fast>", model="openai/x", rows=1, calls=1, usd=0.75, most_usd=1.5, unpriced=["a/b"])
    dear = Estimate(rows=1, calls=1, usd=0.75, most_usd=1.5, groups=[group], shortages=[short])

    async def priced(route: Route) -> None:
        # No gateway runs here: what the API answers without prices gets those of a dear model.
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"estimate": dear.model_dump()})

    await page.route("**/api/v1/catalogs/validate", priced)
    await page.goto(console.url)
    await page.evaluate(DROP, ["id,objective\na,Say x\n", "dear.csv"])
    verdict = page.locator("#verdict")
    await expect(verdict.locator(".estimate")).to_have_text("1 model call, about $0.7500, at most $1.50")
    await expect(verdict).to_contain_text("Budget day (today) has $0.5000 left: rows will wait")
    await expect(verdict).to_contain_text("a/b has no price")
    assert page.url.rstrip("/") == console.url
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/runs/*")


async def test_a_catalog_that_the_policy_denies_says_why_and_starts_nothing(page: Page, console: Serving) -> None:
    await page.goto(console.url)
    await page.evaluate(DROP, ["id,objective,budget_usd\na,Say x,200000\n", "dear.csv"])
    verdict = page.locator("#verdict")
    await expect(verdict.locator("p.bad")).to_have_text("The policy does not let dear.csv run. Nothing was started.")
    await expect(verdict.locator("li")).to_contain_text("total of budget_usd: 200000, which is above the limit")
    assert page.url.rstrip("/") == console.url


async def test_choosing_a_file_does_the_same_as_dropping(page: Page, console: Serving, tmp_path: Path) -> None:
    file = tmp_path / "chosen.csv"
    file.write_text("task,title\nx,No objective\n")
    await page.goto(console.url)
    await page.set_input_files("#file", file)
    await expect(page.locator("#verdict")).to_contain_text("objective")


async def test_warnings_are_shown_before_anything_starts(page: Page, console: Serving) -> None:
    await page.goto(console.url)
    await page.evaluate(DROP, ["task,objective,deadlin\nx,Say x,8h\n", "warned.csv"])
    button = page.get_by_role("button", name="Run 1 row")
    await expect(button).to_be_visible()
    await expect(page.locator("#verdict")).to_contain_text("deadline")
    await button.click()
    await page.wait_for_url("**/runs/*")


async def test_a_run_is_watched_to_its_review_and_approved(page: Page, console: Serving) -> None:
    run = await submitted(page, console, "watched")
    await expect(page.locator("#head .pill")).to_have_text("running")
    rows = page.locator("#rows tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.nth(0).locator(".pill")).to_have_text("succeeded")
    await expect(rows.nth(1).locator(".pill")).to_have_text("verification failed")
    await expect(rows.nth(2).locator(".pill")).to_have_text("review")

    await rows.nth(2).get_by_role("link").click()
    await expect(page.locator("#output .text")).to_contain_text("Answer.")
    await page.wait_for_load_state()
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_label("Comment").fill("fine")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator("#head .pill")).to_have_text("succeeded")
    await expect(page.locator("#steps")).to_contain_text("approved by Ada")

    await page.goto(run)
    await expect(page.locator("#head .pill")).to_have_text("completed with failures")
    await expect(page.get_by_role("button", name="Retry 1 row")).to_be_visible()


async def test_a_row_shows_its_proof_and_hostile_text_stays_text(page: Page, console: Serving) -> None:
    run = await submitted(page, console, "read")
    await expect(page.locator("#rows tbody tr").first.locator(".pill")).to_have_text("succeeded")
    await page.goto(f"{run}/rows/ops/one")
    await expect(page.locator("h1")).to_have_text(HOSTILE)
    await expect(page.locator("#output .text")).to_have_text(f"Answer. {HOSTILE}")
    verdicts = page.locator("#criteria li")
    await expect(verdicts.nth(0)).to_have_class(re.compile("proven pass"))
    await expect(verdicts.nth(1)).to_have_class(re.compile("unverified open"))
    await page.locator("#steps summary", has_text="prompt").click()
    await expect(page.locator("#steps details[open] .text").first).to_contain_text(HOSTILE)
    await page.get_by_role("button", name="Verify").click()
    await expect(page.locator("#verified .ok")).to_have_text("The signature holds.")
    assert await page.locator("main img").count() == 0
    assert "owned" not in (await page.title()).replace(HOSTILE, "")


async def test_the_list_tells_of_a_run_that_somebody_else_starts(page: Page, console: Serving) -> None:
    await page.goto(console.url)
    await expect(page.locator("#live")).to_have_text("Live")
    context = page.context
    other = await context.new_page()
    await submitted(other, console, "elsewhere")
    await expect(page.locator("#runs h2").first).to_have_text("elsewhere")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
async def test_no_page_scrolls_sideways(page: Page, console: Serving, width: int, scheme: str) -> None:
    run = await submitted(page, console, f"narrow{width}")
    await page.set_viewport_size({"width": width, "height": 844})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await expect(page.locator("#rows")).to_contain_text("verification failed")
    for address in (console.url, run, f"{run}/rows/ops/one", f"{console.url}/runs/nothing"):
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


async def test_the_keyboard_reaches_the_content_and_the_file(page: Page, console: Serving) -> None:
    await page.goto(console.url)
    await page.keyboard.press("Tab")
    await expect(page.get_by_text("Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator("#file")).to_be_focused()
