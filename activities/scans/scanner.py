"""What a scanner is: the programs it runs over a folder, and the SARIF that they leave."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NUMBER: Final = re.compile(r"\d+\.\d+(\.\d+)?")


@dataclass(frozen=True)
class Run:
    """One program that a scanner runs.

    Args:
        command: Its command line.
        report: Name of the SARIF document that it leaves in the scanner's own folder; empty when it leaves none.
    """

    command: tuple[str, ...]
    report: str = ""


def numbered(output: str) -> str:
    """Return the version in what a program prints of itself."""
    found = _NUMBER.search(output)
    return found[0] if found else ""


@dataclass(frozen=True)
class Scanner:
    """A scanner.

    Args:
        name: What people call it.
        looks_at: What it looks for, for people.
        runs: Returns what it runs, one after the other, for the folder to scan and a folder of its own.
        version: Its command line that prints its version.
        told: Finds the version in that.
    """

    name: str
    looks_at: str
    runs: Callable[[Path, Path], Sequence[Run]]
    version: tuple[str, ...]
    told: Callable[[str], str] = numbered
