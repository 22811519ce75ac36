"""A reflection from its button to the decision, in a browser."""

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.api.http.serving import Serving

pytestmark = pytest.mark.xdist_group("browser")


async def test_what_readers_found_wrong_becomes_a_prompt_that_a_person_edits_and_approves(
    page: Page, console: Serving
) -> None:
    rows = [{"objective": f"Greet guest {number}", "agent": "critic"} for number in range(3)]
    async with httpx.AsyncClient(base_url=f"{console.url}/api/v1", timeout=60) as client:
        run = (await client.post("/runs", json={"rows": rows})).json()["run"]
        for number in range(1, 4):
            answer = None
            while answer is None or answer.status_code == 409:
                body = {"rating": "bad", "reason": "No name.", "by": "ana"}
                answer = await client.post(f"/runs/{run}/rows/row-{number}/rate", json=body)
            assert answer.status_code == 200, answer.text
    await page.goto(f"{console.url}/feedback")
    await page.locator("[data-reflect=critic]").click()
    await page.wait_for_url("**/rows/prompt")
    await expect(page.get_by_role("region", name="Changes of the prompt of critic")).to_contain_text("Name the guest.")
    await page.get_by_role("button", name="Edit", exact=True).click()
    editor = page.get_by_label("Edited prompt")
    await expect(editor).to_have_value("Name the guest.")
    await editor.fill('You name the guest, as in "Hello Ana".')
    await page.get_by_label("Name", exact=True).fill("Lea")
    await page.get_by_role("button", name="Approve edited text").click()
    await expect(page.locator("#prompt-change ins").first).to_be_visible()
    await expect(page.locator("#prompt-change")).to_contain_text('You name the guest, as in "Hello Ana".')
    await expect(page.locator("#head .pill")).to_have_text("succeeded")
    await page.goto(f"{console.url}/feedback")
    await expect(page.get_by_role("region", name="Reflections")).to_contain_text("critic@2 was approved by Lea")
