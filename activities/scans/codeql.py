"""CodeQL, where it is installed: a database of each language in a folder, and what its queries say of it.

GitHub's terms of use forbid shipping it. It has to be the bundle with the queries: nothing is fetched while it scans.
"""

import os
from pathlib import Path
from typing import Final

from activities.scans.scanner import Run, Scanner

# The languages that CodeQL reads as they are. Of the others it watches a build, which would run the folder's own code.
_LANGUAGES: Final = {
    "javascript": (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"),
    "python": (".py",),
    "ruby": (".rb",),
}
_OTHERS_CODE: Final = frozenset({".git", "node_modules", ".venv"})


def codeql(program: str) -> Scanner:
    """Return CodeQL as a scanner.

    Args:
        program: Its command line program.
    """

    def runs(folder: Path, home: Path) -> list[Run]:
        return [run for language in _languages(folder) for run in _two_steps(program, language, folder, home)]

    return Scanner("codeql", "JavaScript, Python, Ruby", runs, (program, "version"))


def _two_steps(program: str, language: str, folder: Path, home: Path) -> tuple[Run, Run]:
    database, report = home / f"codeql-{language}", f"{language}.sarif"
    made = (program, "database", "create", str(database), f"--language={language}", f"--source-root={folder}")
    asked = (program, "database", "analyze", str(database), "--format=sarifv2.1.0", f"--output={home / report}")
    return Run((*made, "--threads=0")), Run((*asked, "--threads=0", "--no-download"), report)


def _languages(folder: Path) -> list[str]:
    found: set[str] = set()
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OTHERS_CODE]
        endings = {Path(name).suffix.lower() for name in names}
        found |= {language for language, told in _LANGUAGES.items() if endings & set(told)}
    return sorted(found)
