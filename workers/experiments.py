"""What follows when an experiment has a winner: people are told, once, and the audit log."""

import asyncio
import contextlib
import logging
from typing import Final

from sqlalchemy import Engine

from activities.experiments.contracts import Report
from activities.experiments.reading import known_variants
from activities.experiments.register import SqlExperiments
from activities.notifications.contracts import Notification, Notifier
from activities.notifications.inbox import InboxNotifier
from catalogs.options import ReadOptions
from temporal.contract import StepRef
from temporal.errors import PrismError
from workers.notifications import notification_rules
from workers.settings import Settings

log = logging.getLogger("prism.worker")

LOOK_SECONDS: Final = 5.0
# Whoever may end it.
OPERATORS: Final = ("role:operator", "role:admin")


class ExperimentWatch:
    """Looks at experiments that got votes. Repeating any of it changes nothing, so every worker may do it.

    Args:
        register: How experiments stand.
        notifier: Tells people.
    """

    def __init__(self, register: SqlExperiments, notifier: Notifier) -> None:
        self._register = register
        self._notifier = notifier
        self._looked: dict[str, int] = {}

    async def watch(self, stop: asyncio.Event) -> None:
        """Look every ``LOOK_SECONDS`` until told to stop."""
        while not stop.is_set():
            try:
                await self.look()
            except PrismError as error:
                # What was not done is found again.
                log.info("experiments could not be looked after: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)

    async def look(self) -> None:
        """Tell of every winner that is known by now."""
        for name, judged in (await self._register.undecided()).items():
            if self._looked.get(name) == judged:
                continue
            report = await self._register.report(name)
            if report.winner:
                # Told first: should this end in between, the next look tells nobody twice and notes it then.
                await self._notifier.deliver(_told(report))
                await self._register.decided(report)
            self._looked[name] = judged


def open_experiment_watch(settings: Settings, engine: Engine) -> ExperimentWatch:
    """Return what looks after the experiments of an installation."""
    return ExperimentWatch(SqlExperiments(engine), InboxNotifier(engine, notification_rules(settings)))


def with_experiments(options: ReadOptions, engine: Engine) -> ReadOptions:
    """Return options of reading that know the experiments there are now."""
    with engine.connect() as connection:
        return options.model_copy(update={"experiments": known_variants(connection)})


def _told(report: Report) -> Notification:
    spec = report.experiment.spec
    scores = ", ".join(f"{one.variant} {one.good} of {one.judged} good" for one in report.scores)
    return Notification(
        step=StepRef(run="experiments", row=spec.name, step="winner"),
        recipients=OPERATORS,
        title=f"Experiment {spec.name} has a winner: {report.winner}",
        body=f"{scores}. The chance that a variant is named that is not better is at most {spec.alpha:.3g}. "
        "It goes on until somebody ends it, and may adopt the winner.",
    )
