"""More of a budget, allowed on its page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.api.http.seeding import Seeder
from tests.api.http.serving import Serving, serving
from tests.browser.showcase import BUDGETS, fill
from workers.settings import Settings

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
async def spent(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    with serving(Settings(home=tmp_path_factory.mktemp("spent"), budgets=BUDGETS)) as served:
        await fill(Seeder(served.settings, served.services.stores))
        yield served


async def test_a_run_leads_to_its_spent_budget_where_more_is_allowed(page: Page, spent: Serving) -> None:
    await page.goto(f"{spent.url}/runs/pricing-refresh")
    await page.get_by_role("link", name="Budgets").last.click()
    await page.wait_for_url(f"{spent.url}/budgets")
    await page.wait_for_load_state()
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="board-day board support"))
    await expect(card.get_by_text("rows wait for more")).to_be_visible()
    await expect(card.locator(".pill")).to_have_text("spent")
    await card.get_by_label("Allow more").fill("120")
    await card.get_by_placeholder("Your name").fill("Cleo")
    await card.get_by_placeholder("Why").fill("Price list goes out tonight")
    await card.get_by_role("button", name="Allow").click()
    await expect(page.locator(".toast")).to_contain_text("Allowed")
    await expect(card).to_contain_text("+ $120.00 allowed")
    await expect(card.get_by_label("Allow more")).to_have_value("")
