"""Rows on the real dev server with encryption on: what it stores tells nothing, and those with the key read all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import ReviewDecision
from temporal.address import TemporalAddress
from temporal.client import connect
from temporal.contract import row_workflow_id, run_workflow_id
from temporal.errors import PrismError
from temporal.names import ErrorCode
from tests.installation import Installation, Run
from workers.worker import WORKFLOW_RUNNER
from workflows.catalog import CatalogWorkflow
from workflows.row import RowWorkflow

PROMPT, OUTPUT, FEEDBACK, FAILURE = "canary-prompt", "canary-output", "canary-feedback", "canary-failure"


class Refused(PrismError):
    code = ErrorCode.MODEL_REFUSED


def answer(request: Any) -> str:
    if "fails" in str(request):
        raise Refused(FAILURE)
    return OUTPUT


@pytest.fixture(scope="module")
async def encrypted(tmp_path_factory: pytest.TempPathFactory, dev_server: TemporalAddress) -> AsyncIterator[Run]:
    home = tmp_path_factory.mktemp("prism")
    keys = {"encryption_keys": home / "keys" / "encryption.keys"}
    async with story(home, await connect(dev_server.model_copy(update=keys))) as run:
        yield run


@pytest.fixture
async def plain(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Run]:
    async with story(tmp_path_factory.mktemp("plain"), dev_client) as run:
        yield run


@asynccontextmanager
async def story(home: Path, client: Client) -> AsyncIterator[Run]:
    prism = Installation(home, client, answer)
    async with prism.worker():
        run = await prism.start(f"id,objective,risk\na,{PROMPT},high\nfails,{PROMPT},low\n")
        await run.row_reaches("a", lambda progress: progress.state is RowState.REVIEW)
        await run.row("a").signal(RowWorkflow.reject, ReviewDecision(by="bo", comment=FEEDBACK))
        assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
        assert prism.query("SELECT message FROM rows WHERE row = 'fails'")[0]["message"] == FAILURE
        yield run


def ids(run: Run) -> list[str]:
    return [run_workflow_id(run.run), row_workflow_id(run.run, "a"), row_workflow_id(run.run, "fails")]


async def history(client: Client, workflow_id: str) -> WorkflowHistory:
    return await client.get_workflow_handle(workflow_id).fetch_history()


async def raw_events(client: Client, workflow_id: str) -> bytes:
    return b"".join(event.SerializeToString() for event in (await history(client, workflow_id)).events)


async def test_the_same_search_finds_the_texts_where_nothing_is_encrypted(plain: Run, dev_client: Client) -> None:
    raw = b"".join([await raw_events(dev_client, workflow_id) for workflow_id in ids(plain)])
    for secret in (PROMPT, OUTPUT, FEEDBACK, FAILURE, 'File "'):
        assert secret.encode() in raw


async def test_the_server_stores_none_of_the_texts(encrypted: Run, dev_client: Client) -> None:
    for workflow_id in ids(encrypted):
        raw = await raw_events(dev_client, workflow_id)
        assert b"binary/encrypted" in raw
        for secret in (PROMPT, OUTPUT, FEEDBACK, FAILURE, 'File "'):
            assert secret.encode() not in raw


async def test_who_has_the_key_reads_what_happened(encrypted: Run) -> None:
    progress = await encrypted.row("a").query(RowWorkflow.progress)
    assert FEEDBACK in progress.model_dump_json()


async def test_encrypted_histories_replay_with_the_codec(encrypted: Run) -> None:
    for workflow_id in ids(encrypted):
        found = await history(encrypted.client, workflow_id)
        replayer = Replayer(
            workflows=[CatalogWorkflow, RowWorkflow],
            workflow_runner=WORKFLOW_RUNNER,
            data_converter=encrypted.client.data_converter,
        )
        await replayer.replay_workflow(found)
