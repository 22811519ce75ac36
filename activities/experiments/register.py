"""The register of experiments in the records database."""

from typing import Any

from sqlalchemy import Connection, Engine, select, update

from activities.audit.contracts import EXPERIMENTS, AuditEvent, AuditKind
from activities.audit.log import append
from activities.experiments.contracts import (
    Experiment,
    ExperimentEnded,
    ExperimentExists,
    ExperimentSpec,
    Report,
    Status,
)
from activities.experiments.reading import all_experiments, assigned, experiment_called, known_variants, outcomes
from activities.experiments.report import reported
from activities.experiments.tables import ExperimentRow
from activities.records.database import timestamp, upsert
from activities.records.transactions import Transactions
from catalogs.experiment import Variant

_EXPERIMENTS = ExperimentRow.__table__  # type: ignore[attr-defined]
_SAID = {
    Status.RUNNING: AuditKind.EXPERIMENT_RESUMED,
    Status.PAUSED: AuditKind.EXPERIMENT_PAUSED,
    Status.ENDED: AuditKind.EXPERIMENT_ENDED,
}


class SqlExperiments:
    """Experiments in the records database.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    async def create(self, spec: ExperimentSpec, by: str = "") -> Experiment:
        """Begin an experiment, and return it; the same one again is left as it stands.

        Args:
            spec: What is compared.
            by: Who begins it; empty means whoever is acting now.

        Raises:
            ExperimentExists: Another one has this name.
        """
        return await self._transactions.run(lambda connection: self._create(connection, spec, by))

    async def find(self, name: str) -> Experiment:
        """Return an experiment.

        Raises:
            ExperimentNotFound: There is none of this name.
        """
        return await self._transactions.read(lambda connection: experiment_called(connection, name))

    async def all(self) -> list[Experiment]:
        """Return all experiments, the newest first."""
        return await self._transactions.read(all_experiments)

    async def variants(self) -> dict[str, tuple[Variant, ...]]:
        """Return the variants of each experiment: what a catalog's reader needs to know."""
        return await self._transactions.read(known_variants)

    async def report(self, name: str) -> Report:
        """Return what is known of an experiment.

        Raises:
            ExperimentNotFound: There is none of this name.
        """

        def read(connection: Connection) -> Report:
            return reported(experiment_called(connection, name), assigned(connection, name), outcomes(connection, name))

        return await self._transactions.read(read)

    async def undecided(self) -> dict[str, int]:
        """Return the experiments under way that no winner was told of, and how many outcomes each has numbered."""
        open_ = (_EXPERIMENTS.c.winner == "") & (_EXPERIMENTS.c.status != Status.ENDED.value)
        statement = select(_EXPERIMENTS.c.name, _EXPERIMENTS.c.judged).where(open_ & (_EXPERIMENTS.c.judged > 0))
        return await self._transactions.read(lambda found: {one[0]: one[1] for one in found.execute(statement)})

    async def decided(self, report: Report) -> None:
        """Note, once, that people were told of a winner."""
        await self._transactions.run(lambda connection: self._decided(connection, report))

    async def pause(self, name: str, by: str = "") -> Experiment:
        """Let no further unit join; those that have a variant keep it, and votes on them count.

        Raises:
            ExperimentNotFound: There is none of this name.
            ExperimentEnded: It has ended.
        """
        return await self._transactions.run(lambda connection: self._steer(connection, name, Status.PAUSED, by))

    async def resume(self, name: str, by: str = "") -> Experiment:
        """Let units join again.

        Raises:
            ExperimentNotFound: There is none of this name.
            ExperimentEnded: It has ended.
        """
        return await self._transactions.run(lambda connection: self._steer(connection, name, Status.RUNNING, by))

    async def end(self, name: str, by: str = "", adopt: str | None = None) -> Experiment:
        """End an experiment: no further vote counts.

        Args:
            name: Which one.
            by: Who ends it.
            adopt: Variant that every row which names the experiment gets from now on, those that had another one
                included; ``None`` has them run as they are written.

        Raises:
            ExperimentNotFound: There is none of this name, or it has no such variant.
            ExperimentEnded: It has ended already, otherwise.
        """
        return await self._transactions.run(
            lambda connection: self._steer(connection, name, Status.ENDED, by, adopt or "")
        )

    def _create(self, connection: Connection, spec: ExperimentSpec, by: str) -> Experiment:
        row = {
            "name": spec.name,
            "spec": spec.model_dump(mode="json"),
            "status": Status.RUNNING.value,
            "created_by": by,
            "created_at": timestamp(),
        }
        insert = upsert(self._engine, ExperimentRow).on_conflict_do_nothing().returning(_EXPERIMENTS.c.name)
        created = connection.execute(insert, row).first()
        found = experiment_called(connection, spec.name)
        if created is None:
            if found.spec != spec:
                raise ExperimentExists(
                    f"there is an experiment {spec.name!r} that compares something else; one that runs never changes: "
                    "end it, and give the new one another name",
                    found=spec.name,
                )
            return found
        told = {"variants": [variant.name for variant in spec.variants], "about": spec.about}
        append(connection, _event(AuditKind.EXPERIMENT_CREATED, spec.name, by, told))
        return found

    def _decided(self, connection: Connection, report: Report) -> None:
        name = report.experiment.spec.name
        here = (_EXPERIMENTS.c.name == name) & (_EXPERIMENTS.c.winner == "")
        connection.execute(update(_EXPERIMENTS).where(here).values(winner=report.winner, decided_at=timestamp()))
        told = {one.variant: f"{one.good} of {one.judged}" for one in report.scores}
        detail = {"winner": report.winner, "scores": told}
        event = _event(AuditKind.EXPERIMENT_DECIDED, name, EXPERIMENTS, detail)
        append(connection, event.model_copy(update={"key": f"experiment/{name}/decided"}))

    def _steer(self, connection: Connection, name: str, status: Status, by: str, adopt: str = "") -> Experiment:
        # Setting what is there takes the lock on both databases: whoever comes second finds what the first one did.
        connection.execute(update(_EXPERIMENTS).where(_EXPERIMENTS.c.name == name).values(name=name))
        found = experiment_called(connection, name)
        if adopt:
            found.variant(adopt)
        if (found.status, found.adopted) == (status, adopt):
            return found
        if found.status is Status.ENDED:
            raise ExperimentEnded(f"experiment {name!r} ended at {found.ended_at}", found=name)
        values: dict[str, Any] = {"status": status.value, "adopted": adopt}
        if status is Status.ENDED:
            values["ended_at"] = timestamp()
        connection.execute(update(_EXPERIMENTS).where(_EXPERIMENTS.c.name == name).values(values))
        append(connection, _event(_SAID[status], name, by, {"adopted": adopt} if adopt else {}))
        return experiment_called(connection, name)


def _event(kind: AuditKind, name: str, by: str, detail: dict[str, Any]) -> AuditEvent:
    return AuditEvent(kind=kind, actor=by, subject=f"experiment/{name}", detail=detail)
