"""The code of a model's answer as files that scanners recognise, and the way back to the answer's lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from activities.verification.fences import fenced_blocks
from catalogs.row import Language

PROGRAM: Final = "the row's program"
_ENDINGS: Final[Mapping[str, frozenset[str]]] = {
    ".py": frozenset({"python", "py", "python3"}),
    ".js": frozenset({"javascript", "js", "node", "mjs", "cjs", "jsx", "typescript", "ts", "tsx"}),
    ".sh": frozenset({"shell", "sh", "bash", "zsh"}),
    ".tf": frozenset({"terraform", "tf", "hcl"}),
    ".yaml": frozenset({"yaml", "yml", "kubernetes", "k8s", "cloudformation", "helm"}),
    ".json": frozenset({"json"}),
    "Dockerfile": frozenset({"dockerfile", "docker", "containerfile"}),
}
_ENDING: Final = {tag: ending for ending, tags in _ENDINGS.items() for tag in tags}
# Who looks at what. Scanners take seconds to start: one that has nothing to look at is not started.
_LOOKS_AT: Final[Mapping[str, tuple[str, ...]]] = {
    ".py": ("bandit", "semgrep", "codeql"),
    ".js": ("semgrep", "codeql"),
    ".sh": ("semgrep",),
    ".tf": ("checkov", "trivy"),
    ".yaml": ("checkov", "trivy"),
    ".json": ("checkov", "trivy"),
    "Dockerfile": ("checkov", "trivy"),
}
# Those that look only where they are installed.
OPTIONAL: Final = frozenset({"codeql"})


@dataclass(frozen=True)
class CodeFile:
    """A piece of code in a file of its own.

    Args:
        path: Where it goes within the scanned folder.
        body: The code.
        line: Line of its origin on which it begins, from 1.
        place: Its origin, where that is not the output.
        scanners: Who looks at it.
    """

    path: str
    body: str
    line: int
    place: str
    scanners: tuple[str, ...]


def code_files(text: str, language: Language | None, program: str) -> dict[str, CodeFile]:
    """Return the code of an output by path.

    Args:
        text: The output, usually Markdown.
        language: What code is written in whose fence does not say it, or a whole output without fences.
        program: The catalog's own program in that language; empty without one.
    """
    told = language.value if language else ""
    blocks = fenced_blocks(text)
    found = [(_ending(block.tag) or _ending(told), block.body, block.line, "") for block in blocks]
    if not blocks and not program:
        found.append((_ending(told), text, 1, ""))
    found.append((_ending(told), program, 1, PROGRAM))
    files = [
        CodeFile(_path(number, ending), body, line, place, _LOOKS_AT[ending])
        for number, (ending, body, line, place) in enumerate(found)
        if ending and body.strip()
    ]
    return {one.path: one for one in files}


def files_of_code(files: Mapping[str, bytes]) -> dict[str, CodeFile]:
    """Return those of files that are code, by path, each under a name that only says what it is written in."""
    found = {path: _ending_of(path) for path in files}
    coded = [
        CodeFile(_path(number, ending), files[path].decode(errors="replace"), 1, path, _LOOKS_AT[ending])
        for number, (path, ending) in enumerate(found.items())
        if ending
    ]
    return {one.path: one for one in coded}


def _ending_of(path: str) -> str:
    name = path.rpartition("/")[2].lower()
    return _ending(name.rpartition(".")[2])


def _ending(tag: str) -> str:
    return _ENDING.get(tag.strip("{.}"), "")


def _path(number: int, ending: str) -> str:
    """Return a path; checkov and Trivy know a Dockerfile by its name, so each block has a folder of its own."""
    return f"{number}/{ending}" if ending == "Dockerfile" else f"{number}/code{ending}"
