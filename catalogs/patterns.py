"""How large a regular expression grows when its counted repeats are spelled out.

The ``regex`` engine spells them out when it compiles, so that ``a{99999999}`` alone takes all memory.
"""

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"\\."  # an escaped character
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # a character class
    r"|\{\d*(?:,\d*)?\}"  # a counted repeat
    r"|\((?:\?[^()]*?[:=!>])?"  # the opening of a group
    r"|.",
    re.DOTALL,
)
_COUNTED: Final = re.compile(r"\{(\d*)(?:,(\d*))?\}")


def expanded_size(pattern: str) -> int:
    """Return about how many nodes a pattern has once counted repeats are spelled out."""
    outer: list[int] = []
    total, last = 0, 0
    for piece in _TOKEN.findall(pattern):
        if piece.startswith("("):
            outer.append(total)
            total, last = 0, 0
        elif piece == ")":
            total, last = (outer.pop() if outer else 0) + total + 1, total + 1
        elif counted := _COUNTED.fullmatch(piece):
            times = max((int(bound[:12]) for bound in counted.groups("") if bound), default=1)
            total += last * (max(times, 1) - 1)
            last *= max(times, 1)
        else:
            total, last = total + 1, 1
    return total + sum(outer)
