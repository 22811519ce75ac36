"""The console by keyboard, what people are told, and filters that answer while one types."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.api.http.serving import Serving
from tests.browser.test_reviews_in_browser import submit, to_row

pytestmark = pytest.mark.xdist_group("browser")


async def test_two_reviews_are_decided_without_a_mouse(page: Page, console: Serving) -> None:
    run = await submit(
        console, "id,board,title,objective,review\na,keys,First key,Say,required\nb,keys,Second key,Say,required\n"
    )
    await page.goto(f"{console.url}/")
    await page.wait_for_load_state()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await expect(page.get_by_role("heading", name="Reviews", level=1)).to_be_visible()
    await page.wait_for_load_state()
    await page.keyboard.press("/")
    await page.keyboard.type(" key")
    # What others left in the inbox is as many: the search has to have answered.
    await expect(page).to_have_url(re.compile("q="))
    await expect(page.locator("[data-item] h2")).to_contain_text([re.compile("(First|Second) key")] * 2)
    await expect(page.get_by_placeholder("Search id, title or objective")).to_be_focused()
    await page.get_by_placeholder("Search id, title or objective").blur()
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    name = page.get_by_placeholder("Your name")
    await expect(name).to_be_focused()
    await name.fill("Ada")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-item]")).to_have_count(1)
    left = "a" if "First" in await page.locator("[data-item]").inner_text() else "b"
    await to_row(page, console, run, left)
    await page.get_by_label("Name").blur()
    await page.keyboard.press("a")
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#head .pill")).to_have_text("succeeded")


async def test_the_next_review_is_one_key_away(page: Page, console: Serving) -> None:
    run = await submit(console, "id,objective,review,deadline\na,Say,required,2h\nb,Say,required,1h\n")
    await to_row(page, console, run, "b")
    await to_row(page, console, run, "a")
    await page.get_by_label("Name").blur()
    await page.keyboard.press("n")
    await expect(page).to_have_url(f"{console.url}/runs/{run}/rows/b")


async def test_a_tick_stays_with_its_review_when_others_go(page: Page, console: Serving) -> None:
    run = await submit(
        console,
        "id,board,title,objective,review\na,ticks,One,Say,required\nb,ticks,Two,Say,required\nc,ticks,Three,Say,required\n",
    )
    await page.goto(f"{console.url}/reviews?board=ticks")
    await expect(page.locator("[data-item]")).to_have_count(3)
    await page.get_by_label("Choose Two").check()
    async with httpx.AsyncClient(base_url=console.url, timeout=60) as http:
        assert (await http.post(f"/api/v1/runs/{run}/rows/a/approve", json={"by": "bo"})).status_code < 300
    await expect(page.locator("[data-item]")).to_have_count(2)
    await expect(page.get_by_label("Choose Two")).to_be_checked()
    await expect(page.get_by_label("Choose Three")).not_to_be_checked()
    await expect(page.locator("[data-chosen]")).to_have_text("1")


async def test_only_what_is_due_soon_is_shown_when_asked(page: Page, console: Serving) -> None:
    await submit(
        console,
        "id,board,title,objective,review,deadline\na,dues,Soon,Say,required,2h\nb,dues,Late,Say,required,3d\n"
        "c,dues,Whenever,Say,required,\n",
    )
    await page.goto(f"{console.url}/reviews?board=dues")
    items = page.locator("[data-item]")
    await expect(items).to_have_count(3)
    await page.locator("[name=due]").select_option("Due within a day")
    await expect(items).to_have_count(1)
    await expect(items).to_contain_text("Soon")
    await page.locator("[name=due]").select_option("Due within a week")
    await expect(items).to_have_count(2)


async def test_what_one_was_told_is_counted_read_and_marked(page: Page, console: Serving) -> None:
    async with httpx.AsyncClient(base_url=console.url, timeout=60) as http:
        await http.post("/api/v1/notifications/read", json={"keys": []})
        run = await submit(console, "id,title,objective,notify\na,Tell me,Say,inbox\n")
        async with asyncio.timeout(60):
            while not (told := (await http.get("/api/v1/notifications", params={"run": run})).json()["notifications"]):
                await asyncio.sleep(0.05)
    assert told[0]["read_at"] is None
    await page.goto(f"{console.url}/notifications?unread=true")
    item = page.get_by_role("listitem").filter(has_text="Tell me")
    await expect(item).to_be_visible()
    await page.wait_for_load_state()
    await item.get_by_role("link").click()
    await expect(page).to_have_url(f"{console.url}/runs/{run}/rows/a")
    await expect(page.locator("#unread")).to_be_hidden()
    await page.goto(f"{console.url}/notifications?unread=true")
    await expect(item).to_have_count(0)
