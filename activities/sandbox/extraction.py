"""Finding the program in a model's answer."""

from typing import Final

from activities.verification.fences import fenced_blocks
from catalogs.row import Language

_TAGS: Final = {
    Language.PYTHON: frozenset({"python", "py", "python3"}),
    Language.SHELL: frozenset({"shell", "sh", "bash", "zsh"}),
    Language.JAVASCRIPT: frozenset({"javascript", "js", "node", "mjs", "cjs"}),
}


def extract_program(answer: str, language: Language) -> str:
    """Return the program of an answer.

    Args:
        answer: A model's answer, usually Markdown.
        language: What the program is written in.

    Returns:
        The first fenced block tagged with the language, else the first fenced block, else the whole text.
    """
    blocks = fenced_blocks(answer)
    tagged = [block for block in blocks if block.tag.strip("{.}") in _TAGS[language]]
    chosen = tagged or list(blocks)
    return chosen[0].body if chosen else answer
