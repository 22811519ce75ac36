"""Debian's Chromium, driven by Playwright, without traffic of its own."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, Playwright

SWITCHES: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """Return where Chromium is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@asynccontextmanager
async def launched(playwright: Playwright) -> AsyncIterator[Browser]:
    """A headless browser."""
    browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(SWITCHES))
    try:
        yield browser
    finally:
        await browser.close()
