"""The scanners: how each is run so that it looks at a folder, writes SARIF, and asks nobody outside."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from activities.scans.gitleaks_process import find_binary

RULES: Final = Path(__file__).with_name("rules") / "semgrep.yaml"
# Made by the project's set-up beside its own environment: the scanners pin what the project does not.
_ENVIRONMENT: Final = ".scanners"


@dataclass(frozen=True)
class Scanner:
    """A scanner.

    Args:
        name: What people call it.
        looks_at: What it looks for, for people.
        command: Returns its command line for a folder and the file that its report goes to.
        report: Name of the report, where it chooses that itself within what it was given.
        codes: Exit codes that mean that it looked.
        version: Its command line that prints its version.
    """

    name: str
    looks_at: str
    command: Callable[[Path, Path], list[str]]
    version: tuple[str, ...]
    report: str = ""
    codes: frozenset[int] = field(default=frozenset({0}))


def program(name: str) -> str:
    """Return where a scanner's program is: in the environment of scanners, else on the path."""
    for folder in (Path(sys.prefix).parent / _ENVIRONMENT / "bin", Path.cwd() / _ENVIRONMENT / "bin"):
        if (folder / name).is_file():
            return str(folder / name)
    return shutil.which(name) or name


def _gitleaks(folder: Path, report: Path) -> list[str]:
    options = ["--no-banner", "--no-color", "--log-level=error", "--exit-code=0", "--redact=100"]
    return [str(find_binary()), "dir", str(folder), "--report-format=sarif", f"--report-path={report}", *options]


def _bandit(folder: Path, report: Path) -> list[str]:
    return [program("bandit"), "-r", str(folder), "-f", "sarif", "-o", str(report), "-q", "--exit-zero"]


def _semgrep(folder: Path, report: Path) -> list[str]:
    quiet = ["--metrics=off", "--disable-version-check", "--quiet", "--no-git-ignore"]
    written = ["--sarif", "--sarif-output", str(report)]
    return [program("semgrep"), "scan", "--config", str(RULES), *quiet, *written, str(folder)]


def _checkov(folder: Path, report: Path) -> list[str]:
    quiet = ["--quiet", "--compact", "--soft-fail", "--skip-download"]
    return [program("checkov"), "-d", str(folder), "-o", "sarif", "--output-file-path", str(report.parent), *quiet]


def _trivy(folder: Path, report: Path) -> list[str]:
    quiet = ["--quiet", "--skip-check-update", "--cache-dir", str(report.parent / "cache")]
    return [program("trivy"), "config", "--format", "sarif", "--output", str(report), *quiet, str(folder)]


SCANNERS: Final[Mapping[str, Scanner]] = {
    one.name: one
    for one in (
        Scanner("gitleaks", "secrets", _gitleaks, (str(find_binary()), "version")),
        Scanner("bandit", "Python", _bandit, ("bandit", "--version")),
        Scanner("semgrep", "Python, JavaScript, shell, by rules of Prism's own", _semgrep, ("semgrep", "--version")),
        Scanner("checkov", "infrastructure as code", _checkov, ("checkov", "--version"), report="results_sarif.sarif"),
        Scanner("trivy", "infrastructure as code and containers", _trivy, ("trivy", "--version")),
    )
}
