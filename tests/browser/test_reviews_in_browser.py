"""A reviewer's day in a real browser, on a real worker: edit, ask for changes, fill in, reject, and the inbox."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.api.http.serving import Serving

pytestmark = pytest.mark.xdist_group("browser")
CATALOG = (
    "id,board,title,objective,review,risk,form,depends_on\n"
    "edit,ops,Edit me,Say one,required,,,\n"
    "change,ops,Change me,Say two,required,,,\n"
    "form,ops,Fill me in,Say three,required,,ratio:number; currency:EUR|USD; sure:yes/no; note?:text,\n"
    "no,legal,Reject me,Say four,,high,,\n"
    "last,legal,After all,Say five,,,,form\n"
)


async def submit(console: Serving, catalog: str) -> str:
    async with httpx.AsyncClient(base_url=console.url, timeout=60) as http:
        answer = await http.post("/api/v1/runs", content=catalog.encode(), headers={"content-type": "text/csv"})
        run: str = answer.json()["run"]
        return run


async def to_row(page: Page, console: Serving, run: str, row: str) -> None:
    async with httpx.AsyncClient(base_url=console.url, timeout=60) as http, asyncio.timeout(60):
        # The page of a row that is not recorded yet says so, and is not live.
        while (await http.get(f"/api/v1/runs/{run}/reviews/{row}")).json().get("rounds", []) == []:
            await asyncio.sleep(0.05)
    await page.goto(f"{console.url}/runs/{run}/rows/{row}")
    await expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    await page.get_by_label("Name").fill("Ada")


async def test_a_story_of_five_rows(page: Page, console: Serving) -> None:
    run = await submit(console, CATALOG)

    await to_row(page, console, run, "edit")
    await page.get_by_role("button", name="Edit", exact=True).click()
    text = page.get_by_label("Edited text")
    await expect(text).to_be_focused()
    await expect(text).to_have_value(re.compile("Answer."))
    await text.fill("What Ada wrote.")
    await page.get_by_role("button", name="Approve edited text").click()
    await expect(page.locator("#head .pill")).to_have_text("succeeded")
    await expect(page.locator("#output .text")).to_have_text("What Ada wrote.")
    await expect(page.locator("#rounds")).to_contain_text("edited and approved")

    await to_row(page, console, run, "change")
    await page.get_by_role("button", name="Request changes").click()
    await expect(page.locator(".toast.bad")).to_have_text("request changes: feedback is missing")
    await page.get_by_label("Comment").fill("name a number")
    await page.get_by_role("button", name="Request changes").click()
    await expect(page.locator("#review-title")).to_contain_text("round 2")
    await expect(page.locator("#review .reasons")).to_contain_text("Ada asked for changes: name a number")
    await expect(page.locator("#round-1-2 .diff")).to_be_visible()
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await expect(page.locator("#head .pill")).to_have_text("succeeded")

    await to_row(page, console, run, "form")
    await page.get_by_label("ratio").fill("0.5")
    await page.get_by_label("currency").select_option("EUR")
    await page.get_by_label("sure").select_option("Yes")
    await page.get_by_role("button", name="Send answers and approve").click()
    await expect(page.locator("#head .pill")).to_have_text("succeeded")
    await expect(page.locator("#output .text")).to_contain_text('"ratio": 0.5')

    await to_row(page, console, run, "no")
    await page.get_by_label("Comment").fill("too risky")
    await page.get_by_role("button", name="Reject").click()
    await expect(page.locator("#head .pill")).to_have_text("rejected")

    await page.goto(f"{console.url}/runs/{run}")
    await expect(page.locator("#head .pill")).to_have_text("completed with failures")
    await expect(page.locator("#rows tbody tr").nth(4).locator(".pill")).to_have_text("succeeded")


async def test_the_inbox_is_decided_in_bulk_by_keyboard_and_mouse(page: Page, console: Serving) -> None:
    await page.goto(f"{console.url}/reviews?board=bulk")
    await expect(page.locator(".empty")).to_be_visible()
    run = await submit(
        console,
        "id,board,title,objective,review,reviewers,risk\n"
        "a,bulk,First,Say,required,,\nb,bulk,Second,Say,required,carl,\nc,bulk,Third,Say,required,,high\n",
    )
    items = page.locator("[data-item]")
    await expect(items).to_have_count(3)
    await expect(page.locator("#waiting")).to_have_text(re.compile(r"\d+"))
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(page.locator("[data-chosen]")).to_have_text("1")
    await page.keyboard.press("x")
    await expect(page.locator("[data-bulk]")).to_be_hidden()
    await page.get_by_label("Choose First").check()
    await page.get_by_label("Choose Second").check()
    await expect(page.locator("[data-chosen]")).to_have_text("2")
    await page.get_by_placeholder("Your name").fill("Ada")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator("#bulk-result")).to_contain_text("Ada is not among the reviewers of this row: carl")
    await expect(items).to_have_count(2)
    await page.get_by_label("Choose Third").check()
    await page.get_by_placeholder("Comment, needed to reject").fill("not now")
    await page.get_by_role("button", name="Reject").click()
    await expect(items).to_have_count(1)
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{console.url}/runs/{run}/rows/b")


async def test_what_is_typed_stays_while_others_comment(page: Page, console: Serving) -> None:
    run = await submit(console, "id,objective,review\na,Say,required\n")
    await to_row(page, console, run, "a")
    await page.get_by_label("Comment").fill("I am still thinking")
    await page.locator("h1").click()
    async with httpx.AsyncClient(base_url=console.url, timeout=60) as http:
        body = {"kind": "comment", "by": "bo", "comment": "hurry"}
        assert (await http.post(f"/api/v1/runs/{run}/rows/a/decide", json=body)).status_code == 200
    await expect(page.locator("#rounds")).to_contain_text("hurry")
    await expect(page.get_by_label("Comment")).to_have_value("I am still thinking")


async def test_a_round_that_is_over_is_not_decided_on_by_an_old_page(page: Page, console: Serving) -> None:
    run = await submit(console, "id,objective,review\na,Say,required\n")
    await to_row(page, console, run, "a")
    approve = page.get_by_role("button", name="Approve", exact=True)
    # At once: a refresh in between would bring the page up to date.
    await approve.evaluate("button => { document.querySelector('#decision').dataset.round = '7'; button.click(); }")
    await expect(page.locator(".toast.bad")).to_contain_text("but the review is in round 1")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
async def test_no_review_page_scrolls_sideways(page: Page, console: Serving, width: int, scheme: str) -> None:
    run = await submit(console, "id,objective,review\na,Say,required\n")
    await page.set_viewport_size({"width": width, "height": 844})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for address in (f"{console.url}/reviews", f"{console.url}/runs/{run}/rows/a"):
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
