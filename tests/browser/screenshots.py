"""Takes the console's screenshots: ``python -m tests.browser.screenshots [FOLDER]``."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import async_playwright

from tests.api.http.seeding import Seeder
from tests.api.http.serving import serving
from tests.browser.chromium import launched
from tests.browser.showcase import PROPOSED, SETTINGS, fill
from workers.settings import Settings

FOLDER: Final = Path(__file__).parents[2] / "api" / "console" / "screenshots"
RUN: Final = "/runs/8f2c41d09be37a16"
ROW: Final = f"{RUN}/rows/finance/cash-report"
REVIEW: Final = f"{RUN}/rows/finance/vat-check"
DESKTOP: Final = (1280, 800, "light")
PHONE: Final = (390, 844, "dark")
SHOTS: Final = {
    "runs": ("/", DESKTOP),
    "run": (RUN, (1280, 1240, "light")),
    "row-phone-dark": (ROW, PHONE),
    "reviews": ("/reviews", DESKTOP),
    "review": (REVIEW, (1280, 1000, "light")),
    "review-phone-dark": (REVIEW, PHONE),
    "proposal": (f"/runs/{PROPOSED}/rows/prompt", (1280, 1080, "light")),
}
MORE: Final = {
    "row": (ROW, DESKTOP),
    "runs-phone-dark": ("/", PHONE),
    "run-phone-dark": (RUN, PHONE),
    "run-dark": (RUN, (1280, 800, "dark")),
    "reviews-phone-dark": ("/reviews", PHONE),
    "review": (f"{RUN}/rows/finance/vat-check", DESKTOP),
    "planned": (f"{RUN}/rows/growth/pricing-faq", DESKTOP),
    "planned-phone-dark": (f"{RUN}/rows/growth/pricing-faq", PHONE),
    "audit": ("/audit", DESKTOP),
    "audit-dark": ("/audit", (1280, 800, "dark")),
    "audit-phone-dark": ("/audit", PHONE),
    "budgets": ("/budgets", DESKTOP),
    "budgets-phone-dark": ("/budgets", PHONE),
    "feedback": ("/feedback", DESKTOP),
    "proposal-phone-dark": (f"/runs/{PROPOSED}/rows/prompt", PHONE),
    "feedback-phone-dark": ("/feedback", PHONE),
    "agents": ("/agents", DESKTOP),
    "agents-dark": ("/agents", (1280, 800, "dark")),
    "agents-phone-dark": ("/agents", PHONE),
    "experiments": ("/experiments", DESKTOP),
    "experiments-phone-dark": ("/experiments", PHONE),
    "usage": ("/usage", DESKTOP),
    "usage-phone-dark": ("/usage", PHONE),
    "paused": ("/runs/pricing-refresh", DESKTOP),
    "system": ("/system", DESKTOP),
    "system-phone-dark": ("/system", PHONE),
    "notifications": ("/notifications", DESKTOP),
    "notifications-phone-dark": ("/notifications", PHONE),
    "missing": ("/runs/nothing", DESKTOP),
}


async def shoot(folder: Path, *, everything: bool) -> None:
    """Write the screenshots into a folder."""
    with tempfile.TemporaryDirectory() as home, serving(Settings(home=Path(home), **SETTINGS)) as served:
        await fill(Seeder(served.settings, served.services.stores))
        async with async_playwright() as playwright, launched(playwright) as browser:
            for name, (path, (width, height, scheme)) in (SHOTS | (MORE if everything else {})).items():
                context = await browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
                )
                page = await context.new_page()
                await page.goto(served.url + path)
                await page.locator("h1").wait_for()
                await page.wait_for_timeout(900)
                await page.screenshot(path=folder / f"{name}.png")
                if everything:
                    await page.screenshot(path=folder / f"{name}-full.png", full_page=True)
                await context.close()


if __name__ == "__main__":
    elsewhere = sys.argv[1:2]
    asyncio.run(shoot(Path(elsewhere[0]) if elsewhere else FOLDER, everything=bool(elsewhere)))
