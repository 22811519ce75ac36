"""Reading experiments and outcomes from the records database."""

from typing import Any

from sqlalchemy import Connection, func, select

from activities.experiments.contracts import Experiment, ExperimentNotFound, ExperimentSpec, Outcome
from activities.experiments.tables import AssignmentRow, ExperimentRow
from catalogs.experiment import Variant

_EXPERIMENTS = ExperimentRow.__table__  # type: ignore[attr-defined]
_ASSIGNMENTS = AssignmentRow.__table__  # type: ignore[attr-defined]


def experiment_called(connection: Connection, name: str) -> Experiment:
    """Return an experiment.

    Raises:
        ExperimentNotFound: There is none of this name.
    """
    found = _experiments(connection, _EXPERIMENTS.c.name == name)
    if not found:
        raise ExperimentNotFound(f"there is no experiment {name!r}", found=name)
    return found[0]


def all_experiments(connection: Connection) -> list[Experiment]:
    """Return all experiments, the newest first."""
    return _experiments(connection)


def known_variants(connection: Connection) -> dict[str, tuple[Variant, ...]]:
    """Return the variants of each experiment."""
    found = connection.execute(select(_EXPERIMENTS.c.name, _EXPERIMENTS.c.spec))
    return {name: ExperimentSpec.model_validate(spec).variants for name, spec in found}


def assigned(connection: Connection, name: str) -> dict[str, int]:
    """Return how many units got each variant."""
    counted = select(_ASSIGNMENTS.c.variant, func.count()).where(_ASSIGNMENTS.c.experiment == name)
    return {one[0]: one[1] for one in connection.execute(counted.group_by(_ASSIGNMENTS.c.variant))}


def outcomes(connection: Connection, name: str) -> list[Outcome]:
    """Return the outcomes of an experiment, in the order in which they came."""
    here = (_ASSIGNMENTS.c.experiment == name) & _ASSIGNMENTS.c.position.is_not(None)
    statement = select(_ASSIGNMENTS.c.variant, _ASSIGNMENTS.c.good).where(here).order_by(_ASSIGNMENTS.c.position)
    return [Outcome(variant=variant, good=good) for variant, good in connection.execute(statement)]


def _experiments(connection: Connection, *conditions: Any) -> list[Experiment]:  # noqa: ANN401 -- SQL conditions
    of = _ASSIGNMENTS.c.experiment == _EXPERIMENTS.c.name
    units = select(func.count()).where(of).scalar_subquery()
    judged = select(func.count(_ASSIGNMENTS.c.position)).where(of).scalar_subquery()
    columns = [column for column in _EXPERIMENTS.c if column.name != "judged"]
    statement = select(*columns, units.label("units"), judged.label("judged")).where(*conditions)
    statement = statement.order_by(_EXPERIMENTS.c.created_at.desc(), _EXPERIMENTS.c.name)
    return [Experiment.model_validate(dict(one)) for one in connection.execute(statement).mappings()]
