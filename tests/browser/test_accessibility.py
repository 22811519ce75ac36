"""Every page as axe-core judges it by WCAG 2.2 AA: on a desktop and a phone, in the light and in the dark."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.async_api import Browser

from tests.api.http.guarding import Guarded, guarded_api
from tests.api.http.seeding import Seeder
from tests.api.http.serving import Serving, serving
from tests.browser.screenshots import ROW, RUN
from tests.browser.showcase import PROPOSED, SETTINGS, fill
from workers.settings import Settings

pytestmark = pytest.mark.xdist_group("browser")

TEMPLATES = Path(__file__).parents[2] / "api" / "console" / "templates"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PAGES = {
    "runs": "/",
    "run": RUN,
    "ended run": "/runs/legal-q4",
    "row": ROW,
    "row in review": f"{RUN}/rows/finance/vat-check",
    "row that plans": f"{RUN}/rows/growth/pricing-faq",
    "pending row": f"{RUN}/rows/people/interview-kit",
    "failed row": f"{RUN}/rows/ops/rollback-plan",
    "nothing here": "/runs/nothing",
    "reviews": "/reviews",
    "audit": "/audit",
    "notifications": "/notifications?everybody=true",
    "budgets": "/budgets",
    "feedback": "/feedback",
    "proposed prompt": f"/runs/{PROPOSED}/rows/prompt",
    "agents": "/agents",
    "experiments": "/experiments",
    "usage": "/usage",
    "system": "/system",
    "scans": "/scans",
    "secrets": "/secrets",
}
# Colours differ by scheme, places by width: each page in both of each.
LOOKS = [(1280, "light"), (390, "dark")]
JUDGE = """async (levels) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: levels } });
  return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target} ${node.failureSummary}`));
}"""


@pytest.fixture(scope="module")
async def week(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """The console over runs in every state."""
    with serving(Settings(home=tmp_path_factory.mktemp("week"), **SETTINGS)) as served:
        await fill(Seeder(served.settings, served.services.stores))
        yield served


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A console that asks who one is."""
    with guarded_api(tmp_path_factory.mktemp("guarded")) as api:
        yield api


async def violations(browser: Browser, address: str, scheme: str, width: int, state: Path | None = None) -> list[str]:
    """Return what axe-core finds wrong with a page; ``state`` is the login of whoever looks at it."""
    context = await browser.new_context(
        storage_state=state,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(address)
    await page.locator("h1").wait_for()
    # A page that led elsewhere would be judged in place of the one that is meant.
    assert page.url == address
    await page.evaluate(AXE)
    found: list[str] = await page.evaluate(JUDGE, LEVELS)
    await context.close()
    return found


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_a_page_violates_no_rule(browser: Browser, week: Serving, path: str, scheme: str, width: int) -> None:
    assert await violations(browser, week.url + path, scheme, width) == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
async def test_the_login_violates_no_rule(browser: Browser, guarded: Guarded, scheme: str, width: int) -> None:
    assert await violations(browser, f"{guarded.served.url}/login", scheme, width) == []


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_what_scrolls_is_reached_by_the_keyboard_and_named(template: Path) -> None:
    scrolling = re.findall(r'<\w+[^>]*class="(?:scroll|text|graph|timeline)"[^>]*>', template.read_text())
    assert [tag for tag in scrolling if 'tabindex="0"' not in tag or "aria-label" not in tag] == []


async def test_the_judge_finds_what_is_wrong(browser: Browser) -> None:
    page = await browser.new_page()
    await page.set_content("<h1>A picture</h1><img src='data:,'>")
    await page.evaluate(AXE)
    assert any("image-alt" in one for one in await page.evaluate(JUDGE, LEVELS))
    await page.close()
