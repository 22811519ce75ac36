"""From the cells of a record to the values of a row, with every fault noted."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from catalogs import secret_cells
from catalogs.cells import BadCell
from catalogs.columns import near_misses
from catalogs.criteria import Form, InvalidCriterion, near_form, parse_criterion
from catalogs.faults import MISSING_OBJECTIVE, Severity, shown
from catalogs.notes import RowNotes
from catalogs.row import ROLE_PREFIX, Mode, Review
from catalogs.templates import inspect
from temporal.names import ErrorCode


def read_cells(notes: RowNotes) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of known columns and of variables; blank cells of known columns are left out."""
    values: dict[str, Any] = {}
    variables: dict[str, str] = {}
    for name, column, text in zip(notes.layout.names, notes.layout.columns, notes.record.cells, strict=False):
        if name != secret_cells.COLUMN and secret_cells.holds_reference(text):
            _note_reference(name, notes)
        if column is None:
            if name:
                variables[name] = text.strip()
        elif text and not text.isspace():
            try:
                values[name] = column.parse(text)
            except BadCell as fault:
                code = ErrorCode.INVALID_ID if name == "id" else ErrorCode.INVALID_VALUE
                # A value in place of its reference is not repeated: faults are stored and shown.
                found = "" if name == secret_cells.COLUMN else text.strip()
                told = f"found {shown(found)!r}, expected {fault.expected}" if found else f"expected {fault.expected}"
                notes.note(code, f"{name}: {told}", name, found=found, expected=fault.expected)
    return values, variables


def _note_reference(column: str, notes: RowNotes) -> None:
    notes.note(
        ErrorCode.INVALID_VALUE,
        f"{column or 'a column without a name'}: refers to a secret, and takes none: "
        "the value would go to a model or into the history; column 'secrets' gives it to 'code'",
        column,
        expected="text without references to secrets",
    )


def check_objective(values: dict[str, Any], notes: RowNotes) -> None:
    """Note a missing objective; a missing column was noted once, with the header."""
    if values.get("objective"):
        return
    if "objective" in notes.layout.names:
        notes.note(ErrorCode.INVALID_TASK_DEFINITION, MISSING_OBJECTIVE, "objective", expected="text")
    else:
        notes.spoil()


def check_criteria(values: dict[str, Any], notes: RowNotes) -> None:
    """Note criteria whose argument is malformed, and those that nearly name a form."""
    for text in values.get("verification", ()):
        problem, near = _criterion(text)
        if problem is not None:
            message, expected = problem
            notes.note(ErrorCode.INVALID_CRITERION, message, "verification", found=text, expected=expected)
        elif near:
            notes.note(
                ErrorCode.INVALID_CRITERION,
                f"criterion {shown(text)!r} is free text, which code cannot check; did you mean '{near}:'?",
                "verification",
                found=text,
                expected=f"{near}:",
                severity=Severity.WARNING,
            )


def check_template(
    values: dict[str, Any], variables: dict[str, str], notes: RowNotes, *, literal: bool
) -> tuple[str, ...]:
    """Note what is wrong with the prompt, and return the ids of the rows whose outputs it uses."""
    if literal or "prompt" not in values:
        return ()
    inspection = inspect(values["prompt"], variables)
    for problem in inspection.problems:
        line = notes.line_of("prompt") + problem.line - 1
        notes.note(
            ErrorCode.INVALID_TEMPLATE,
            f"prompt, line {problem.line}, character {problem.column}: {shown(problem.message)} "
            "(--literal takes prompts as they are)",
            "prompt",
            found=values["prompt"].split("\n")[problem.line - 1].strip(),
            expected="a Jinja2 template",
            line=line,
        )
    return inspection.dependencies


def check_together(values: dict[str, Any], notes: RowNotes) -> None:
    """Note values that do not go together."""
    reviewers, quorum = values.get("reviewers", ()), values.get("quorum", 1)
    # How many persons a role has is known to the approval rules, not to the file.
    if reviewers and quorum > len(reviewers) and not any(name.startswith(ROLE_PREFIX) for name in reviewers):
        notes.note(
            ErrorCode.INVALID_VALUE,
            f"quorum: found {quorum}, but only {len(reviewers)} reviewers are named",
            "quorum",
            found=str(quorum),
            expected=f"at most {len(reviewers)}",
        )
    _check_review(values, notes)
    if values.get("code") and "language" not in values and "language" not in _noted(notes):
        notes.note(
            ErrorCode.INVALID_VALUE,
            "language: a row with code must name its language: python, shell or javascript",
            "language",
            expected="python, shell, javascript",
        )
    if values.get("secrets") and not values.get("code"):
        notes.note(
            ErrorCode.INVALID_VALUE,
            "secrets: only a program in column 'code' gets them; what a model wrote does not",
            "secrets",
            expected="a program in column 'code'",
        )
    _check_files(values, notes)
    if values.get("mode") is Mode.STEPWISE and not values.get("workflow"):
        notes.note(
            ErrorCode.INVALID_VALUE,
            "mode: a stepwise row without workflow steps makes one model call, as if single",
            "mode",
            found="stepwise",
            expected="steps in column 'workflow'",
            severity=Severity.WARNING,
        )


def _check_files(values: dict[str, Any], notes: RowNotes) -> None:
    for column in ("files", "workspace"):
        if values.get(column) and "language" not in values and "language" not in _noted(notes):
            notes.note(
                ErrorCode.INVALID_VALUE,
                f"{column}: only a program has files, and this row runs none",
                column,
                expected="python, shell or javascript in column 'language'",
            )


def _check_review(values: dict[str, Any], notes: RowNotes) -> None:
    if values.get("form") and values.get("review", Review.NONE) is Review.NONE and "review" not in _noted(notes):
        notes.note(
            ErrorCode.INVALID_VALUE,
            "form: nobody is asked to fill it in, as the row has no review",
            "form",
            expected="required or policy in column 'review'",
        )
    if values.get("form") and values.get("output_schema"):
        notes.note(
            ErrorCode.INVALID_VALUE,
            "form: its answers are appended to the output, which would not be JSON any more",
            "form",
            expected="no form in a row with output_schema",
        )
    for column in ("on_deadline", "escalate"):
        if values.get(column) and "deadline" not in values and "deadline" not in _noted(notes):
            notes.note(
                ErrorCode.INVALID_VALUE,
                f"{column}: means nothing without a deadline",
                column,
                expected="a duration in column 'deadline'",
                severity=Severity.WARNING,
            )


def known_tools(names: Mapping[str, str], tools: Mapping[str, str] | None, notes: RowNotes) -> dict[str, str]:
    """Return the tools that a row names, by name, and note those that nobody knows."""
    if tools is None:
        return dict(names)
    for name in names:
        if name not in tools:
            near = near_misses(name, tools)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            known = f"one of {', '.join(tools)}" if tools else "a file of tools, which PRISM_TOOLS names"
            message = f"tools: there is no tool {shown(name)!r}{hint or f', expected {known}'}"
            notes.note(ErrorCode.INVALID_VALUE, message, "tools", found=name, expected=known)
    return {name: tools[name] for name in names if name in tools}


def _noted(notes: RowNotes) -> frozenset[str]:
    """Return the columns whose cell is filled, so that its own fault was noted."""
    cells = zip(notes.layout.names, notes.record.cells, strict=False)
    return frozenset(name for name, text in cells if text.strip())


@lru_cache(maxsize=1024)
def _criterion(text: str) -> tuple[tuple[str, str] | None, str | None]:
    try:
        criterion = parse_criterion(text)
    except InvalidCriterion as fault:
        return (fault.message, str(fault.details["expected"])), None
    return None, near_form(text) if criterion.form is Form.FREE_TEXT else None
