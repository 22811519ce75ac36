"""A browser, and the whole of Prism behind the console: dev server, worker in this process, scripted model."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from activities.llm.contracts import ModelAnswer, ModelRequest
from activities.records.calls import SqlCallLedger
from temporal.client import connect
from tests.api.http.serving import Serving, serving, temporal_server
from tests.browser.chromium import chromium_path, launched
from tests.installation import Installation, ScriptedModel
from workers.settings import Settings

# A page settles within a second; a machine that runs everything else too may take its time.
expect.set_options(timeout=30_000)

# What a person presses before a page's script is there does nothing, and they press again; a test would not.
SCRIPT_TO_COME = 'html:has(script[src="/static/console.js"]):not([data-ready])'

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


class PaidModel(ScriptedModel):
    """Keeps every answer in the ledger of calls, as the gateway does."""

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        ledger = SqlCallLedger(self._stores.engine)
        if paid := (await ledger.begin(request)).answer:
            return paid
        return await ledger.record(request, await super().complete(request))


def _answer(request: ModelRequest) -> str:
    if request.output_schema is not None:
        return '{"prompt": "Name the guest.", "summary": "Names people.", "reasons": []}'
    return f"Answer. {HOSTILE}"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium."""
    if chromium_path() is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    async with async_playwright() as playwright, launched(playwright) as chromium:
        yield chromium


@pytest.fixture(scope="session")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """The served console with a worker that really runs what is submitted."""
    home = tmp_path_factory.mktemp("console")
    async with temporal_server(home) as address:
        installation = Installation(home, await connect(address), _answer)
        installation.model = PaidModel(installation.stores, installation.model.answer)
        async with installation.worker():
            with serving(Settings(home=home, temporal_address=address.target)) as served:
                yield served


async def opened_page(context: BrowserContext) -> Page:
    """A page on which whatever is done waits for the page's script."""
    page = await context.new_page()
    page.set_default_timeout(30_000)
    await page.add_locator_handler(page.locator(SCRIPT_TO_COME), lambda: None)
    return page


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of its own; a script error or a broken security policy fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    opened = await opened_page(context)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda told: faults.append(told.text) if "Content Security Policy" in told.text else None)
    yield opened
    await context.close()
    assert faults == []
