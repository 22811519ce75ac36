"""From the text of a cell to a value."""

import math
import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeVar

Choice = TypeVar("Choice", bound=StrEnum)

MAX_SECONDS: Final = 10 * 365 * 86_400
MAX_ID_CHARS: Final = 200
_MAX_SLUG_CHARS: Final = 99
_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_ID: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?")
_LIST: Final = re.compile(r"[;,\s]+")
_CHANNELS: Final = re.compile(r"[;\s]+")
_STEPS: Final = re.compile(r"(?:^|\s)>(?=\s|$)")
_MONEY: Final = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,6})?)")


class BadCell(ValueError):
    """A cell cannot be understood.

    Args:
        expected: What would have been understood.
    """

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def plain(text: str) -> str:
    """Return the text without white space around it."""
    return text.strip()


def word(text: str) -> str:
    """Return the text without white space around it, in lower case."""
    return text.strip().lower()


def verbatim(text: str) -> str:
    """Return the text as it is."""
    return text


def duration(text: str) -> int:
    """Return the seconds of ``45m``, ``8h``, ``3d``, ``1h30m`` or ``90s``."""
    compact = text.strip().lower().replace(" ", "")
    match = _DURATION.fullmatch(compact)
    if not compact or match is None:
        hint = f"; did you mean {compact}s?" if re.fullmatch(r"[0-9]{1,9}", compact) else ""
        raise BadCell(f"a duration such as 45m, 8h, 3d, 1h30m or 90s{hint}")
    seconds = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    if not 0 < seconds <= MAX_SECONDS:
        raise BadCell("a duration longer than 0s and not longer than 3650d")
    return seconds


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers within bounds."""

    def parse(text: str) -> int:
        stripped = text.strip()
        if re.fullmatch(r"[0-9]{1,9}", stripped) and least <= int(stripped) <= most:
            return int(stripped)
        raise BadCell(f"a whole number from {least} to {most}")

    return parse


def money(text: str) -> float:
    """Return an amount of dollars."""
    match = _MONEY.fullmatch(text.strip())
    if match is None or not math.isfinite(float(match[1])):
        raise BadCell("an amount in US dollars such as 0.25")
    return float(match[1])


def choice(options: type[Choice]) -> Callable[[str], Choice]:
    """Return a parser of one of several words, whatever their case."""

    def parse(text: str) -> Choice:
        try:
            return options(text.strip().lower())
        except ValueError:
            raise BadCell("one of " + ", ".join(options)) from None

    return parse


def steps(text: str) -> tuple[str, ...]:
    """Return the steps of ``collect > compare > report``; a ``>`` without spaces around it is text."""
    return tuple(step for part in _STEPS.split(text) if (step := part.strip()))


def names(text: str) -> tuple[str, ...]:
    """Return names separated by ``;``, ``,`` or white space, each once."""
    return tuple(dict.fromkeys(name for name in _LIST.split(text) if name))


def channels(text: str) -> tuple[str, ...]:
    """Return channels separated by ``;`` or white space (an address may hold a comma), each once."""
    return tuple(dict.fromkeys(name for name in _CHANNELS.split(text) if name))


def labels(text: str) -> dict[str, str]:
    """Return labels written ``key=value; other``; a bare label has an empty value."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key:
            found[key] = value
        elif value or "=" in part:
            raise BadCell("labels such as team=treasury; urgent")
    return found


def identifier(text: str) -> str:
    """Return an id: letters, digits and ``. _ - /``, beginning and ending with a letter or digit."""
    stripped = text.strip()
    odd_part = not {"", ".", ".."}.isdisjoint(stripped.split("/"))
    if len(stripped) > MAX_ID_CHARS or odd_part or not _ID.fullmatch(stripped):
        example = slug(text) or "row-1"
        raise BadCell(f"letters, digits and . _ - / between them, at most {MAX_ID_CHARS}, such as {example}")
    return stripped


def slug(text: str) -> str:
    """Return a text as a part of an id: ``cash-report`` for ``Cash Report``; empty if nothing is left."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", letters).strip("-._")[:_MAX_SLUG_CHARS].strip("-._")


def default_id(board: str, task: str, ordinal: int) -> str:
    """Return the id of a row that has none: ``board/task``, ``task``, ``board/row-7`` or ``row-7``.

    Args:
        board: The row's board.
        task: The row's task.
        ordinal: Number of the row in the file, from 1, comments and blank lines not counted.
    """
    parts = [part for part in (slug(board), slug(task) or f"row-{ordinal}") if part]
    return "/".join(parts)
