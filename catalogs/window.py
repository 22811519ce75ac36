"""Fitting a prompt to what a model reads: what is least needed is cut first, and everything cut is told."""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import NonNegativeInt

from temporal.contract import Contract

# Less of a text than this says nothing: it is left out as a whole.
_LEAST_CHARS: Final = 160
_CUTS: Final = 4
_BEGIN: Final = "\n[… "
_END: Final = " characters left out]"
_MARK: Final = _BEGIN + "{cut}" + _END


class Dropped(Contract):
    """What of a prompt's parts the model does not see.

    Args:
        part: What people call it.
        characters: How many were cut.
        whole: Whether nothing of it is left.
    """

    part: str
    characters: NonNegativeInt
    whole: bool = False


def fitted(
    parts: Mapping[str, str], room: int, composed: Callable[[Mapping[str, str]], str]
) -> tuple[str, tuple[Dropped, ...]]:
    """Return a prompt that fits, and what was cut for that.

    What is no part, such as the task itself, is never cut: a prompt can stay too long.

    Args:
        parts: By name, the most needed first.
        room: Most bytes of the prompt.
        composed: Makes the prompt of its parts; a part that is empty was left out.
    """
    left = dict(parts)
    prompt = composed(left)
    for _ in range(_CUTS):
        excess = len(prompt.encode()) - room
        if excess <= 0 or not any(left.values()):
            break
        _cut(parts, left, excess)
        prompt = composed(left)
    return prompt, tuple(
        Dropped(part=name, characters=len(text) - _kept(left[name]), whole=not left[name])
        for name, text in parts.items()
        if left[name] != text
    )


def _cut(parts: Mapping[str, str], left: dict[str, str], excess: int) -> None:
    """Cut as many bytes as are too many, the least needed part first."""
    for name in reversed(list(parts)):
        if excess <= 0:
            return
        held = parts[name][: _kept(left[name])]
        size = len(held.encode())
        kept = held.encode()[: max(0, size - excess - len(_MARK) - 8)].decode(errors="ignore")
        excess -= len(left[name].encode())
        left[name] = ""
        if len(kept) >= _LEAST_CHARS:
            left[name] = kept + _MARK.format(cut=f"{len(parts[name]) - len(kept):,}")
            excess += len(left[name].encode())


def _kept(left: str) -> int:
    """Return how many characters of a text are still there, without the mark."""
    return left.rindex(_BEGIN) if left.endswith(_END) and _BEGIN in left else len(left)
