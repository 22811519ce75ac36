"""Which files of a program's workspace are kept: patterns of paths, as column ``files`` holds them."""

import re
from typing import Final

from catalogs.cells import BadCell

INPUTS: Final = "inputs"
"""Folder of a workspace in which a program finds the files of the rows that its own depends on."""
MOST_PATTERNS: Final = 32
_EXAMPLE: Final = "paths such as report.csv; charts/*.png; data/**"


def file_patterns(text: str) -> tuple[str, ...]:
    """Return patterns separated by ``;``: ``*`` and ``?`` stay within a folder, ``**`` reaches below it."""
    found = tuple(dict.fromkeys(pattern for part in text.split(";") if (pattern := part.strip())))
    for pattern in found:
        parts = pattern.split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or not pattern.isprintable() or "\\" in pattern:
            raise BadCell(f"{_EXAMPLE}, within the program's own folder")
        if parts[0] == INPUTS:
            raise BadCell(f"{_EXAMPLE}; files below {INPUTS}/ belong to other rows")
    if len(found) > MOST_PATTERNS:
        raise BadCell(f"at most {MOST_PATTERNS} patterns")
    return found


def pattern_expression(patterns: tuple[str, ...]) -> str:
    """Return the regular expression that a whole path matches when one of the patterns does."""
    return f"(?s:{'|'.join(map(_expression, patterns))})"


def _expression(pattern: str) -> str:
    told = ""
    for piece in re.split(r"(\*\*/|\*\*|\*|\?)", pattern):
        told += {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece))
    return told
