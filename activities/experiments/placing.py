"""Sticky assignment in the records database: the first variant that a unit gets stays."""

from sqlalchemy import Connection, Engine, select

from activities.artifacts.contracts import digest_of
from activities.experiments.contracts import Experiment, Placed, Status, Trial
from activities.experiments.drawing import drawn, unit_of
from activities.experiments.reading import experiment_called
from activities.experiments.tables import AssignmentRow
from activities.records.database import timestamp, upsert
from activities.records.transactions import Transactions
from catalogs.experiment import Variant
from catalogs.experiment_rows import as_variant
from catalogs.prompt_version import prompt_version
from catalogs.row import CatalogRow

_ASSIGNMENTS = AssignmentRow.__table__  # type: ignore[attr-defined]


class SqlPlacing:
    """Gives rows their variants.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def place(self, row: CatalogRow, run: str) -> Placed:
        """Return a row as it is to run; asked again, a unit gets what it got.

        Raises:
            ExperimentNotFound: The row names an experiment that there is not.
        """
        if row.experiment is None:
            return Placed(row=row)
        name = row.experiment.name
        return await self._transactions.run(lambda connection: self._place(connection, name, row, run))

    def _place(self, connection: Connection, name: str, row: CatalogRow, run: str) -> Placed:
        experiment = experiment_called(connection, name)
        unit = unit_of(row, run, experiment.spec.unit)
        variant = self._variant(connection, experiment, unit, row.id, run)
        if variant is None:
            return Placed(row=row)
        placed = as_variant(row, variant)
        trial = Trial(
            experiment=name,
            variant=variant.name,
            unit=unit,
            definition=digest_of(variant.model_dump_json().encode()),
            planned=digest_of(row.model_dump_json().encode()),
            agent=placed.agent,
            prompt_version=prompt_version(placed),
        )
        return Placed(row=placed, trial=trial)

    def _variant(self, connection: Connection, experiment: Experiment, unit: str, row: str, run: str) -> Variant | None:
        name = experiment.spec.name
        if experiment.status is Status.ENDED:
            return experiment.variant(experiment.adopted) if experiment.adopted else None
        if experiment.status is Status.RUNNING:
            new = {"experiment": name, "unit": unit, "run": run, "row": row, "at": timestamp()}
            new["variant"] = drawn(name, unit, experiment.spec.variants).name
            connection.execute(upsert(self._engine, AssignmentRow).on_conflict_do_nothing(), new)
        here = (_ASSIGNMENTS.c.experiment == name) & (_ASSIGNMENTS.c.unit == unit)
        assigned = connection.scalar(select(_ASSIGNMENTS.c.variant).where(here))
        return experiment.variant(assigned) if assigned else None
