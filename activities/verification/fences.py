"""Fenced code blocks in a model's answer (CommonMark: three or more backticks or tildes)."""

import re
from dataclasses import dataclass, field
from typing import Final

_OPENING: Final = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)$")


@dataclass(frozen=True)
class FencedBlock:
    """One fenced block.

    Args:
        tag: First word of the info string in lower case, such as ``json``; empty when there is none.
        body: The text between the fences, each line with its newline.
        line: Line of the text on which the body begins, from 1.
    """

    tag: str
    body: str
    line: int = field(default=1, compare=False)


def fenced_blocks(text: str) -> tuple[FencedBlock, ...]:
    """Return the fenced blocks of a text in order; a block never closed runs to the end.

    Args:
        text: A model's answer, usually Markdown.

    Returns:
        The blocks. A fence within a longer fence is part of the outer block.
    """
    blocks: list[FencedBlock] = []
    fence = tag = ""
    body: list[str] = []
    begins = 1
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r")
        if fence:
            if _closes(line, fence):
                blocks.append(FencedBlock(tag, "".join(body), begins))
                fence = ""
            else:
                body.append(f"{line}\n")
        elif (opening := _OPENING.match(line)) and not _is_inline(opening):
            fence = opening["fence"]
            tag = (opening["info"].split() or [""])[0].lower()
            body = []
            begins = number + 1
    if fence:
        blocks.append(FencedBlock(tag, "".join(body), begins))
    return tuple(blocks)


def _is_inline(opening: re.Match[str]) -> bool:
    """Tell whether the line is inline code: an info string after backticks holds no backtick."""
    return opening["fence"].startswith("`") and "`" in opening["info"]


def _closes(line: str, fence: str) -> bool:
    mark = line.strip()
    return len(mark) >= len(fence) and set(mark) == {fence[0]} and not line.startswith("    ")
