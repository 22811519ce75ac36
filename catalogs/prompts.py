"""The words a model is given: the prompt of a row, of one step of it, and of a second attempt."""

from collections.abc import Iterable, Mapping, Sequence

from catalogs.row import CatalogRow, Mode
from catalogs.templates import render


def system_prompt(row: CatalogRow) -> str:
    """Return who the model is asked to be."""
    role = row.agent or row.board
    if not role:
        return "You carry out one task and answer with its result only."
    board = f" of the board {row.board!r}" if row.agent and row.board and row.agent != row.board else ""
    return f"You are the agent {role!r}{board}. You carry out one task and answer with its result only."


def row_prompt(row: CatalogRow, outputs: Mapping[str, str]) -> str:
    """Return what the row asks for: its own prompt, or one composed from its columns.

    Args:
        row: The row.
        outputs: Outputs of the rows it depends on, by id.

    Raises:
        TemplateFailed: The row's template cannot be rendered with these outputs.
    """
    if not row.prompt:
        return composed_prompt(row, outputs)
    return row.prompt if row.literal else render(row.prompt, row, outputs)


def composed_prompt(row: CatalogRow, outputs: Mapping[str, str]) -> str:
    """Return the prompt of a row that brings none. Its columns are text: braces stay braces."""
    parts = [f"# {row.title}" if row.title else "", row.objective]
    if row.stack:
        parts.append(f"Stack: {row.stack}")
    if row.workflow:
        heading = "The steps of the whole task:" if row.mode is Mode.STEPWISE else "Follow these steps in order:"
        parts.append(_section(heading, _numbered(row.workflow)))
    if row.verification:
        parts.append(_section("The answer is accepted if all of this holds:", _bulleted(row.verification)))
    parts += [quoted(f"Result of {name}", text) for name, text in outputs.items()]
    return joined(parts)


def with_sources(prompt: str, sources: Iterable[tuple[str, str]]) -> str:
    """Return a prompt with what may help to answer it before it: notes of the run, passages of documents."""
    return joined([*(quoted(name, text) for name, text in sources), prompt])


def step_prompt(prompt: str, steps: Sequence[str], phase: int, earlier: Iterable[tuple[str, str]]) -> str:
    """Return the prompt of one step.

    Args:
        prompt: The row's prompt.
        steps: All steps of the row.
        phase: Index of the step to do now.
        earlier: Name and output of the steps before it.
    """
    now = f"Do only step {phase + 1} of {len(steps)} now: {steps[phase]}"
    return joined([prompt, *(quoted(f"Result of step {name}", text) for name, text in earlier), now])


def retry_prompt(prompt: str, failures: Iterable[str], previous: str = "") -> str:
    """Return the prompt of an attempt after one that failed its criteria, or that a reviewer wants changed."""
    shown = [quoted("Your previous answer", previous)] if previous else []
    wanted = _section("Your previous answer was not accepted. Correct this:", _bulleted(failures))
    return joined([prompt, *shown, wanted])


def _section(heading: str, body: str) -> str:
    return f"{heading}\n{body}"


def _numbered(items: Iterable[str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))


def _bulleted(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def quoted(heading: str, text: str) -> str:
    """Return a text between marks that do not occur in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{heading}:\n{fence}\n{text.strip()}\n{fence}"


def joined(parts: Iterable[str]) -> str:
    """Return the parts of a prompt that say something, a blank line between them."""
    return "\n\n".join(part for part in parts if part)
