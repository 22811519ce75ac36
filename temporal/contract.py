"""The base of every model that crosses the Temporal boundary, and the reference that names one step."""

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class Contract(BaseModel):
    """A frozen value that travels through workflow history.

    New fields need defaults: histories recorded by older code must still decode.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class StepRef(Contract):
    """Which step of which row an activity performs; the source of its idempotency key.

    Args:
        run: Run id, as in workflow id ``catalog/<run>``.
        row: Row id within the run.
        step: Name of the step, such as ``model``.
        ordinal: How many times the workflow asked for this step before. It counts what the workflow
            wanted, not Temporal's attempts, so that a retry after a crash keeps its key.
        attempt: Which execution of the row asks, from 1. It tells events apart; no key depends on it.
        context: What the step's prompt holds that another execution of the row may find changed: a paid answer stands
            for what was asked, not for what would be asked now.
        place: What the key is made of instead of the ordinal, where steps side by side are numbered as they come.
    """

    run: str
    row: str
    step: str
    ordinal: NonNegativeInt = 0
    attempt: PositiveInt = 1
    context: str = ""
    place: str = ""

    @property
    def key(self) -> str:
        """The idempotency key of the step's effect on the world."""
        key = f"{row_workflow_id(self.run, self.row)}/{self.step}/{self.place or self.ordinal}"
        return f"{key}/{self.context}" if self.context else key


def run_workflow_id(run: str) -> str:
    """Return the workflow id of a run."""
    return f"catalog/{run}"


def row_workflow_id(run: str, row: str) -> str:
    """Return the workflow id of a row of a run."""
    return f"catalog/{run}/row/{row}"


def workflow_place(workflow_id: str) -> tuple[str, str | None] | None:
    """Return run and row of a workflow id, the row ``None`` for a run's own; ``None`` when it is no id of ours."""
    kind, _, place = workflow_id.partition("/")
    run, _, row = place.partition("/row/")
    return (run, row or None) if kind == "catalog" and run else None
