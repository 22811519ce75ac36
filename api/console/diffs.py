"""Two texts side by side, line by line, with the words that differ marked. Pure."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MOST_LINES: Final = 2000
CONTEXT: Final = 3
_WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A part of a line; ``changed`` where the other side differs."""

    text: str
    changed: bool = False


@dataclass(frozen=True)
class Side:
    """A line of one of the texts; number 0 where there is none."""

    number: int = 0
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line of both texts.

    Args:
        kind: ``same``, ``changed``, ``removed``, ``added``, or ``gap`` where equal lines are left out.
        skipped: How many, for a gap.
    """

    kind: str
    left: Side = Side()
    right: Side = Side()
    skipped: int = 0


def side_by_side(before: str, after: str) -> list[Line]:
    """Return two texts line by line; long stretches of equal lines are left out.

    Args:
        before: The earlier text.
        after: The later one.

    Returns:
        At most ``MOST_LINES`` lines of each text are compared.
    """
    old, new = before.splitlines()[:MOST_LINES], after.splitlines()[:MOST_LINES]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    lines: list[Line] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            lines.extend(_same(old, a, b, c, first=not a and not c, last=b == len(old) and d == len(new)))
        else:
            lines.extend(_replaced(old, (a, b), new, (c, d)))
    return lines


def _same(old: Sequence[str], a: int, b: int, c: int, *, first: bool, last: bool) -> Iterator[Line]:
    head, tail = (0 if first else CONTEXT), (0 if last else CONTEXT)
    hidden = range(a + head, b - tail)
    for number in range(a, b):
        if len(hidden) > 1 and number in hidden:
            if number == hidden.start:
                yield Line("gap", skipped=len(hidden))
            continue
        pieces = (Piece(old[number]),)
        yield Line("same", Side(number + 1, pieces), Side(c + number - a + 1, pieces))


def _replaced(old: Sequence[str], left: tuple[int, int], new: Sequence[str], right: tuple[int, int]) -> Iterator[Line]:
    (a, b), (c, d) = left, right
    both = min(b - a, d - c)
    for step in range(both):
        one, other = _words(old[a + step], new[c + step])
        yield Line("changed", Side(a + step + 1, one), Side(c + step + 1, other))
    for number in range(a + both, b):
        yield Line("removed", left=Side(number + 1, (Piece(old[number], changed=True),)))
    for number in range(c + both, d):
        yield Line("added", right=Side(number + 1, (Piece(new[number], changed=True),)))


def _words(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        changed = tag != "equal"
        if a < b:
            left.append(Piece("".join(old[a:b]), changed))
        if c < d:
            right.append(Piece("".join(new[c:d]), changed))
    return tuple(left), tuple(right)
