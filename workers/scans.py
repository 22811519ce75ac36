"""The part of the composition root that names scanners."""

from contextlib import AsyncExitStack

from activities.scans.contracts import SecretScanner
from activities.scans.gitleaks import GitleaksScanner
from activities.scans.scanner import Scanner
from activities.scans.tools import scanners
from workers.settings import Settings


def installed_scanners(settings: Settings) -> dict[str, Scanner]:
    """Return the scanners of an installation, by name; what settings name and is not there cannot look, and says so."""
    return scanners(settings.codeql, settings.vulnerabilities)


def open_secret_scanner(stack: AsyncExitStack) -> SecretScanner:
    """Return what finds secrets in texts; it starts its program when it is first asked."""
    scanner = GitleaksScanner()
    stack.push_async_callback(scanner.close)
    return scanner
