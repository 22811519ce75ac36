"""How agents' answers are read: as a list of parts, as a judge's choice, as votes."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

MAX_ITEMS: Final = 100
MAX_ITEM_CHARS: Final = 2_000
_BULLET: Final = re.compile(r"^\s*(?:[-*+•]|\(?[0-9]{1,4}[.)])\s+")
_BEST: Final = re.compile(r"\bbest\b\W{0,4}(?:is\W{1,3})?(?:answer\W{1,3})?#?([0-9]{1,2})\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\b([0-9]{1,2})\b")


def items_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the lines of some texts as a list, without bullets and numbers, each once; fences, headings are none."""
    lines = (_BULLET.sub("", line).strip() for text in texts for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith(("```", "# ", "## "))))


def picked(answer: str, of: int) -> int | None:
    """Return which of the numbered answers a judge names, from 0; ``None`` where it names none, or several."""
    found = {int(number) for number in _BEST.findall(answer)} or {int(number) for number in _NUMBER.findall(answer)}
    return next(iter(found)) - 1 if len(found) == 1 and 1 <= next(iter(found)) <= of else None


def tally(answers: Sequence[str]) -> tuple[int | None, int]:
    """Return which answer more than half of all agree on, and how many gave the commonest one.

    Answers agree where they are the same but for case, white space, and a mark at the end.
    """
    normal = [" ".join(answer.casefold().split()).rstrip(".!") for answer in answers]
    commonest, votes = Counter(normal).most_common(1)[0]
    return (normal.index(commonest) if 2 * votes > len(answers) else None), votes
