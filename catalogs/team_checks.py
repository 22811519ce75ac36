"""From the names of agents and collections in a row to what they are, with every fault noted."""

import re
from typing import Any, Final

from catalogs.columns import near_misses
from catalogs.faults import Severity, shown
from catalogs.notes import RowNotes
from catalogs.options import ReadOptions
from catalogs.proposal_schema import PROPOSAL_SCHEMA
from catalogs.row import Mode, OnDeadline
from catalogs.team import TAKES, Agent, Pattern
from temporal.names import ErrorCode

_SEPARATOR: Final = re.compile(r"[>;,]")


def check_team(values: dict[str, Any], notes: RowNotes, options: ReadOptions, implied: tuple[str, ...] = ()) -> None:
    """Put the definitions of a row's agents into its values, and note what is wrong with how it names them.

    Without a pattern the cell is one role in words, unless it is the name of an agent.

    Args:
        values: Of the row's columns.
        notes: Where faults go.
        options: Which agents and collections there are.
        implied: Rows that its template refers to.
    """
    pattern = values.get("pattern")
    if pattern is None:
        if agent := (options.agents or {}).get(values.get("agent", "")):
            values["team"] = (agent,)
    else:
        values["team"] = _team(pattern, values.get("agent", ""), notes, options.agents)
        _check_pattern(pattern, values, notes, implied)
    for column, only, where in (("rounds", Pattern.DEBATE, "in a debate"), ("plan_rows", Pattern.PLAN, "in a plan")):
        if column in values and pattern is not only:
            _note(notes, column, f"means nothing but {where}", f"{only.value} in column 'pattern'", warning=True)
    if pattern is Pattern.PLAN:
        _check_plan(values, notes)
    _check_knowledge(values.get("knowledge", ()), notes, options.knowledge)


def _team(pattern: Pattern, cell: str, notes: RowNotes, agents: dict[str, Agent] | None) -> tuple[Agent, ...]:
    names = [name for part in _SEPARATOR.split(cell) if (name := part.strip())]
    least, most = TAKES[pattern]
    if not least <= len(names) <= most:
        wanted = f"{least} to {most} agents" if most > least else f"{least} agents"
        what = f"found {len(names)} in {shown(cell)!r}" if cell else "names none"
        _note(notes, "agent", f"{what}, pattern {pattern.value} takes {wanted}", f"{wanted}, separated by ' > '")
    if agents is None:
        return ()
    for name in dict.fromkeys(name for name in names if name not in agents):
        near = near_misses(name, agents)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        known = ", ".join(sorted(agents)) or "none is defined here"
        _note(notes, "agent", f"there is no agent {shown(name)!r}{hint}", f"one of {known}", found=name)
    return tuple(agents[name] for name in names if name in agents)


def _check_pattern(pattern: Pattern, values: dict[str, Any], notes: RowNotes, implied: tuple[str, ...]) -> None:
    if values.get("mode") is Mode.STEPWISE:
        _note(notes, "mode", "a row with a pattern goes by turns of its agents, not by its steps", "single")
    alone = not values.get("depends_on") and not implied
    if pattern is Pattern.MAP and len(values["team"]) == TAKES[pattern][0] and alone:
        _note(
            notes,
            "pattern",
            "two agents map over the lines of the rows that this one depends on, and it depends on none",
            "ids in column 'depends_on', or three agents, the first of which writes the list",
        )


def _check_plan(values: dict[str, Any], notes: RowNotes) -> None:
    """Have the output of a row that plans be rows, as columns of a catalog."""
    for column in ("output_schema", "form"):
        if values.get(column):
            _note(notes, column, "what a row with pattern plan answers is rows of a catalog", f"no {column!r}")
    if values.get("on_deadline") is OnDeadline.APPROVE:
        _note(notes, "on_deadline", "a person approves what a row plans, silence does not", "reject or wait")
    values["output_schema"] = PROPOSAL_SCHEMA


def _check_knowledge(names: tuple[str, ...], notes: RowNotes, known: tuple[str, ...] | None) -> None:
    for name in names if known is not None else ():
        if name not in (known or ()):
            near = near_misses(name, known or ())
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            there = ", ".join(known or ()) or "a folder of documents in PRISM_KNOWLEDGE"
            _note(notes, "knowledge", f"there is no collection {shown(name)!r}{hint}", there, found=name)


def _note(notes: RowNotes, column: str, message: str, expected: str, *, found: str = "", warning: bool = False) -> None:
    severity = Severity.WARNING if warning else Severity.ERROR
    notes.note(
        ErrorCode.INVALID_VALUE, f"{column}: {message}", column, found=found, expected=expected, severity=severity
    )
