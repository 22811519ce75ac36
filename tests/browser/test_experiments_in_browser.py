"""An experiment is begun, paused, and ended with a winner on its page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.api.http.serving import Serving, serving
from tests.browser.test_accessibility import AXE, JUDGE, LEVELS
from workers.settings import Settings

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    with serving(Settings(home=tmp_path_factory.mktemp("experiments"))) as api:
        yield api


async def test_an_experiment_begins_pauses_and_ends_on_its_page(page: Page, served: Serving) -> None:
    await page.goto(f"{served.url}/feedback")
    await page.get_by_role("link", name="Experiments").click()
    await expect(page.get_by_text("Nothing is compared yet")).to_be_visible()
    await page.get_by_text("Begin an experiment", exact=True).click()
    form = page.locator("[data-experiment]")
    await form.get_by_label("Name", exact=True).first.fill("tone")
    await form.get_by_role("button", name="Another variant").click()
    first, second, third = [form.get_by_role("group", name=f"Variant {number}") for number in (1, 2, 3)]
    for variant, name in ((first, "current"), (second, "terse"), (third, "critic")):
        await variant.get_by_label("Name").fill(name)
    await form.get_by_label("Your name").fill("cleo")
    # What does not differ is refused in the form, which keeps what was typed.
    await form.get_by_role("button", name="Begin", exact=True).click()
    await expect(form.get_by_role("alert")).to_contain_text("are the same")
    await second.get_by_label("Prompt").fill("Be brief: {{ row.objective }}")
    await third.get_by_label("Agent").select_option("critic")
    await page.evaluate(AXE)
    assert await page.evaluate(JUDGE, LEVELS) == []
    await form.get_by_role("button", name="Begin", exact=True).click()
    card = page.get_by_role("region", name="tone")
    await expect(card).to_contain_text("Begun")
    await expect(card).to_contain_text("by cleo")
    await expect(card.get_by_role("cell", name="critic agent critic@1")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    await card.get_by_role("button", name="Pause tone").click()
    await expect(card.locator(".pill").first).to_have_text("paused")
    await card.get_by_role("button", name="End, adopt terse").click()
    await expect(card).to_contain_text("terse adopted: every row gets it")
    await expect(card.get_by_role("button")).to_have_count(0)
