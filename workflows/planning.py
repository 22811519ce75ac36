"""Rows that plan rows: what they propose has to hold, and once it is approved their run is asked to take it in."""

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.records.contracts import RowState
    from catalogs.row import CatalogRow
    from catalogs.team import Pattern
    from temporal.contract import run_workflow_id
    from temporal.names import ErrorCode
    from workflows.contracts import RowRun, RowsOffer, RowsTaken
    from workflows.draft import Draft, RowEnded
    from workflows.performing import now
    from workflows.steps import RowSteps

# What a row is at while its run takes in what it planned.
JOIN = "join"


def check_proposed(row: CatalogRow, draft: Draft) -> None:
    """Let nothing pass that a model proposed and that nobody may have added.

    Raises:
        RowEnded: Its faults were told in vain, or the policy denies it.
    """
    if row.pattern is not Pattern.PLAN:
        return
    proposed = draft.proposed
    if proposed is None or proposed.faults:
        raise RowEnded(RowState.VERIFICATION_FAILED, ErrorCode.INVALID_PROPOSAL, "; ".join(draft.failures))
    if proposed.objections:
        raise RowEnded(RowState.DENIED, ErrorCode.POLICY_DENIED, "; ".join(proposed.objections))


class Joining:
    """Has the run of a row take in what the row planned.

    Args:
        request: The row workflow's input.
        steps: The row's steps.
    """

    def __init__(self, request: RowRun, steps: RowSteps) -> None:
        self._request = request
        self._steps = steps
        self._answers: dict[str, RowsTaken] = {}
        self._unheard = False

    def answered(self, taken: RowsTaken) -> None:
        """Take the run's answer; one that was meant for an earlier execution of the row may be about other rows."""
        self._answers[taken.proposal] = taken

    def again(self) -> None:
        """Ask once more: another execution of the run goes on, and may not have heard it."""
        self._unheard = True

    async def join(self, draft: Draft) -> None:
        """Ask until the run has answered, which asks nobody twice: the same rows are taken in once.

        Raises:
            RowEnded: The run cannot take them in any more.
        """
        assert draft.output is not None  # noqa: S101 -- a proposal was read from it
        assert draft.proposed is not None  # noqa: S101 -- and was approved
        assert draft.proposed.proposal is not None  # noqa: S101 -- likewise
        started_at, proposal = now(), draft.proposed.proposal
        offer = RowsOffer(
            index=self._request.index, row=self._request.row, output=draft.output.digest, proposal=proposal
        )
        self._steps.current = JOIN
        while proposal not in self._answers:
            self._unheard = False
            await self._ask(offer)
            await workflow.wait_condition(lambda: proposal in self._answers or self._unheard)
        if refused := self._answers[proposal].refused:
            raise RowEnded(RowState.FAILED, ErrorCode.ROWS_REFUSED, refused)
        rows = [row.id for row in draft.proposed.rows]
        told = f"{len(rows)} row{'s' if len(rows) != 1 else ''} added to the run"
        self._steps.note(JOIN, 0, told, started_at, {"rows": rows, "proposal": proposal})

    async def _ask(self, offer: RowsOffer) -> None:
        run = workflow.get_external_workflow_handle(run_workflow_id(self._request.run))
        try:
            await run.signal("rows_proposed", offer)
        except FailureError:
            # Nobody runs the catalog now. Whoever does next adopts this row, and is asked then.
            workflow.logger.warning("no run of %s takes in what row %s planned", self._request.run, self._request.row)
