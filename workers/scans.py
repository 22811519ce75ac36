"""The part of the composition root that names scanners."""

from activities.scans.scanner import Scanner
from activities.scans.tools import scanners
from workers.settings import Settings


def installed_scanners(settings: Settings) -> dict[str, Scanner]:
    """Return the scanners of an installation, by name; what settings name and is not there cannot look, and says so."""
    return scanners(settings.codeql, settings.vulnerabilities)
