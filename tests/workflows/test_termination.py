"""Rows that somebody ends from outside, on the real dev server (the time-skipping one does not tell the parent)."""

from pathlib import Path

from temporalio.client import Client

from activities.records.contracts import RowState, RunState
from tests.installation import Installation


async def test_a_row_terminated_from_outside_is_recorded_as_failed(tmp_path: Path, dev_client: Client) -> None:
    prism = Installation(tmp_path, dev_client, lambda request: "An answer.")
    async with prism.worker():
        run = await prism.start("id,objective,review\na,One,required\nb,Two,\n")
        await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
        await run.row("a").terminate("an operator did this")
        assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    assert prism.states(run) == {"a": "failed", "b": "succeeded"}
