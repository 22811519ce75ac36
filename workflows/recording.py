"""What a run writes down about itself and about rows that cannot do so, by local activities."""

from collections.abc import Mapping, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.planning.contracts import Grown
    from activities.plans.contracts import RowHead
    from activities.provenance.run_activity import RunSealActivities
    from activities.provenance.run_contracts import RunSealRequest
    from activities.records.activity import RecordActivities
    from activities.records.contracts import (
        RowAsked,
        RowChange,
        RowChanges,
        RowEnding,
        RowState,
        RunChange,
        RunGrowth,
        RunOpening,
        RunState,
        Steering,
    )
    from temporal import search_attributes
    from temporal.names import ErrorCode
    from workflows.contracts import CatalogRun, RowsOffer, Steered
    from workflows.performing import now
    from workflows.schedule import Schedule
    from workflows.timeouts import OPEN_RUN, PLANNING, QUICK_CHECK, SEAL_RUN


class RunRecording:
    """Keeps the records of one run.

    Args:
        request: The run's input.
        schedule: The run's rows; it knows which execution of each is the current one.
        sequence: Number of changes recorded so far.
    """

    def __init__(self, request: CatalogRun, schedule: Schedule, sequence: int) -> None:
        self._request = request
        self._schedule = schedule
        self.sequence = sequence

    async def open(self) -> None:
        """Record the run with all its rows as pending."""
        request = self._request
        opening = RunOpening(
            run=request.run,
            plan=request.plan,
            title=request.title,
            submitter=request.submitter,
            started_at=now(),
            budget_usd=request.options.budget_usd,
            policy=request.options.policy,
        )
        await workflow.execute_activity_method(
            RecordActivities.open_run, opening, summary=f"record {request.total} rows", **OPEN_RUN
        )

    async def change(self, state: RunState, concurrency: int) -> None:
        """Record the run's state."""
        self.sequence += 1
        change = RunChange(
            run=self._request.run,
            state=state,
            sequence=self.sequence,
            at=now(),
            concurrency=concurrency,
        )
        if state.ended:
            workflow.upsert_search_attributes([search_attributes.STATUS.value_set(state.value)])
        await workflow.execute_local_activity_method(RecordActivities.change_run, change, **QUICK_CHECK)

    async def seal(self, state: RunState, counts: Mapping[RowState, int]) -> None:
        """Sign how the run has ended."""
        request = RunSealRequest(
            run=self._request.run,
            plan=self._request.plan,
            title=self._request.title,
            state=state.value,
            sequence=self.sequence,
            counts={row_state.value: count for row_state, count in counts.items()},
            finished_at=now(),
        )
        await workflow.execute_activity_method(
            RunSealActivities.seal_run, request, summary=f"seal {self._request.total} rows", **SEAL_RUN
        )

    async def grown(self, grown: Grown, offer: RowsOffer) -> None:
        """Record rows that a row has planned, as pending."""
        growth = RunGrowth(run=self._request.run, plan=grown.plan, by=offer.row, rows=grown.rows, at=now())
        await workflow.execute_activity_method(
            RecordActivities.grow_run, growth, summary=f"record {len(grown.rows)} rows", **PLANNING
        )

    async def blocked(self, heads: Sequence[RowHead], because: str = "") -> None:
        """Record rows that can never start, because one they depend on did not succeed."""
        message = f"row {because} did not succeed" if because else "a row it depends on did not succeed"
        await self.rows(heads, RowState.BLOCKED, ErrorCode.UPSTREAM_FAILED, message)

    async def steered(self, signal: str, said: Steered) -> None:
        """Record who steers the run. A signal that names no act came from elsewhere than the API."""
        detail = said.model_dump(mode="json", exclude={"by", "act"})
        steering = Steering(
            run=self._request.run,
            signal=signal,
            act=said.act or str(workflow.uuid4()),
            by=said.by,
            detail=detail if said.act else detail | {"via": "signal"},
        )
        await workflow.execute_local_activity_method(RecordActivities.steered, steering, **QUICK_CHECK)

    async def ending(self, head: RowHead) -> RowEnding:
        """Return how the records say a row stands."""
        return await workflow.execute_local_activity_method(
            RecordActivities.row_ending, RowAsked(run=self._request.run, row=head.id), **QUICK_CHECK
        )

    async def rows(
        self, heads: Sequence[RowHead], state: RowState, code: ErrorCode | None = None, message: str = ""
    ) -> None:
        """Record rows' new state."""
        if not heads:
            return
        changes = tuple(
            RowChange(
                row=head.id,
                state=state,
                attempt=self._schedule.attempt(head.index),
                code=code.value if code else "",
                message=message,
            )
            for head in heads
        )
        await workflow.execute_local_activity_method(
            RecordActivities.change_rows,
            RowChanges(run=self._request.run, at=now(), changes=changes),
            **QUICK_CHECK,
        )
