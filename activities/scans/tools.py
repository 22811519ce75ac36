"""The scanners: how each is run so that it looks at a folder, writes SARIF, and asks nobody outside."""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from activities.scans.codeql import codeql
from activities.scans.gitleaks_process import find_binary
from activities.scans.scanner import Run, Scanner

RULES: Final = Path(__file__).with_name("rules") / "semgrep.yaml"
# Made by the project's set-up beside its own environment: the scanners pin what the project does not.
_ENVIRONMENT: Final = ".scanners"
_REPORT: Final = "report.sarif"
_CHECKOV_REPORT: Final = "results_sarif.sarif"
_DATABASE_OF: Final = re.compile(r"UpdatedAt: (\d{4}-\d\d-\d\d)")


def program(name: str) -> str:
    """Return where a scanner's program is: in the environment of scanners, else on the path."""
    for folder in (Path(sys.prefix).parent / _ENVIRONMENT / "bin", Path.cwd() / _ENVIRONMENT / "bin"):
        if (folder / name).is_file():
            return str(folder / name)
    return shutil.which(name) or name


def scanners(codeql_program: str = "", vulnerabilities: Path | None = None) -> dict[str, Scanner]:
    """Return the scanners of an installation, by name.

    Args:
        codeql_program: The program of CodeQL; empty takes the one on the path, if there is one.
        vulnerabilities: Trivy's cache folder with its database of vulnerabilities; ``None`` looks for none.
    """
    found = dict(SCANNERS)
    if vulnerabilities is not None:
        found["trivy-vulnerabilities"] = _trivy_vulnerabilities(vulnerabilities)
    if there := codeql_program or shutil.which("codeql"):
        found["codeql"] = codeql(there)
    return found


def _gitleaks(folder: Path, home: Path) -> list[Run]:
    options = ("--no-banner", "--no-color", "--log-level=error", "--exit-code=0", "--redact=100")
    written = ("--report-format=sarif", f"--report-path={home / _REPORT}")
    return [Run((str(find_binary()), "dir", str(folder), *written, *options), _REPORT)]


def _bandit(folder: Path, home: Path) -> list[Run]:
    written = ("-f", "sarif", "-o", str(home / _REPORT), "-q", "--exit-zero")
    return [Run((program("bandit"), "-r", str(folder), *written), _REPORT)]


def _semgrep(folder: Path, home: Path) -> list[Run]:
    quiet = ("--metrics=off", "--disable-version-check", "--quiet", "--no-git-ignore")
    written = ("--sarif", "--sarif-output", str(home / _REPORT))
    return [Run((program("semgrep"), "scan", "--config", str(RULES), *quiet, *written, str(folder)), _REPORT)]


def _checkov(folder: Path, home: Path) -> list[Run]:
    quiet = ("--quiet", "--compact", "--soft-fail", "--skip-download")
    written = ("-o", "sarif", "--output-file-path", str(home))
    return [Run((program("checkov"), "-d", str(folder), *written, *quiet), _CHECKOV_REPORT)]


def _trivy(folder: Path, home: Path) -> list[Run]:
    quiet = ("--quiet", "--skip-check-update", "--cache-dir", str(home / "cache"))
    written = ("--format", "sarif", "--output", str(home / _REPORT))
    return [Run((program("trivy"), "config", *written, *quiet, str(folder)), _REPORT)]


def _trivy_vulnerabilities(cache: Path) -> Scanner:
    """Return Trivy as it looks packages up in a database that somebody else brings and renews.

    It locks the database while it reads, so that scans side by side take turns.
    """
    offline = ("--skip-db-update", "--skip-java-db-update", "--offline-scan", "--skip-vex-repo-update")
    asked = ("--quiet", "--scanners", "vuln", *offline, "--cache-dir", str(cache))

    def runs(folder: Path, home: Path) -> list[Run]:
        written = ("--format", "sarif", "--output", str(home / _REPORT))
        return [Run((program("trivy"), "fs", *asked, *written, str(folder)), _REPORT)]

    def told(output: str) -> str:
        number, database = re.search(r"Version: (\S+)", output), _DATABASE_OF.search(output)
        return ", database of ".join(found[1] for found in (number, database) if found)

    version = ("trivy", "--cache-dir", str(cache), "--version")
    return Scanner("trivy-vulnerabilities", "known vulnerabilities of packages", runs, version, told)


SCANNERS: Final[Mapping[str, Scanner]] = {
    one.name: one
    for one in (
        Scanner("gitleaks", "secrets", _gitleaks, (str(find_binary()), "version")),
        Scanner("bandit", "Python", _bandit, ("bandit", "--version")),
        Scanner("semgrep", "Python, JavaScript, shell, by rules of Prism's own", _semgrep, ("semgrep", "--version")),
        Scanner("checkov", "infrastructure as code", _checkov, ("checkov", "--version")),
        Scanner("trivy", "infrastructure as code and containers", _trivy, ("trivy", "--version")),
    )
}
