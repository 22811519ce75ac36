"""What an experiment makes of a row, and whether a row fits it."""

from typing import Any, Final

from catalogs.columns import near_misses
from catalogs.experiment import Participation, Variant
from catalogs.faults import shown
from catalogs.notes import RowNotes
from catalogs.options import ReadOptions
from catalogs.row import CatalogRow
from catalogs.templates import inspect
from temporal.names import ErrorCode

COLUMN: Final = "experiment"


def as_variant(row: CatalogRow, variant: Variant) -> CatalogRow:
    """Return a row as a variant has it run. Pure."""
    changes: dict[str, Any] = {}
    if variant.model:
        changes["model"] = variant.model
    if variant.prompt:
        changes["prompt"] = variant.prompt
    if agent := variant.agent:
        if row.pattern is None:
            changes |= {"agent": agent.name, "team": (agent,)}
        else:
            changes["team"] = tuple(agent if one.name == agent.name else one for one in row.team)
    return row.model_copy(update=changes)


def check_experiment(
    values: dict[str, Any],
    variables: dict[str, str],
    notes: RowNotes,
    options: ReadOptions,
    implied: tuple[str, ...],
) -> None:
    """Note an experiment that nobody knows, and variants that a row cannot run as.

    A row that names none takes part in the one that tries another version of its agent.

    Args:
        values: Of the row's columns.
        variables: Of its other columns.
        notes: Where faults go.
        options: Which experiments there are.
        implied: Rows that its template refers to.
    """
    if COLUMN not in values and (trial := _trial(values, options)):
        values[COLUMN] = Participation(name=trial)
    taken: Participation | None = values.get(COLUMN)
    if taken is None or options.experiments is None:
        return
    variants = options.experiments.get(taken.name)
    if variants is None:
        near = near_misses(taken.name, options.experiments)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        known = f"one of {', '.join(sorted(options.experiments))}" if options.experiments else "none was created here"
        _note(notes, f"there is no experiment {shown(taken.name)!r}{hint}", taken.name, known)
        return
    team = {agent.name for agent in values.get("team", ())}
    upstream = {*values.get("depends_on", ()), *implied}
    for variant in variants:
        agent = variant.agent
        if agent and values.get("pattern") is not None and agent.name not in team:
            what = f"variant {variant.name!r} changes agent {agent.name!r}, who is not of the row's team"
            _note(notes, what, taken.name, f"{agent.name} in column 'agent'")
        if variant.prompt and not options.literal:
            _check_prompt(variant, variables, notes, upstream)


def _trial(values: dict[str, Any], options: ReadOptions) -> str:
    """Return the experiment that tries a version of one of the row's agents; empty for none."""
    return next((options.trials[agent.name] for agent in values.get("team", ()) if agent.name in options.trials), "")


def _check_prompt(variant: Variant, variables: dict[str, str], notes: RowNotes, upstream: set[str]) -> None:
    inspection = inspect(variant.prompt, variables)
    for problem in inspection.problems:
        what = f"the prompt of variant {variant.name!r} does not fit this row: {shown(problem.message)}"
        _note(notes, what, variant.name, "the columns that the prompt refers to")
    for missing in (name for name in inspection.dependencies if name not in upstream):
        what = f"the prompt of variant {variant.name!r} uses the output of {shown(missing)!r}"
        _note(notes, what, variant.name, f"{missing} in column 'depends_on'")


def _note(notes: RowNotes, what: str, found: str, expected: str) -> None:
    notes.note(ErrorCode.INVALID_VALUE, f"{COLUMN}: {what}", COLUMN, found=found, expected=expected)
