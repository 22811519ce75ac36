"""Workflow code must replay every recorded history: a change that cannot would strand the runs under way."""

import base64
import json
import re
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from workers.worker import WORKFLOW_RUNNER, WORKFLOWS

HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.json"))


def replayer() -> Replayer:
    return Replayer(
        workflows=list(WORKFLOWS),
        workflow_runner=WORKFLOW_RUNNER,
        data_converter=pydantic_data_converter,
    )


@pytest.mark.parametrize("path", HISTORIES, ids=[path.stem for path in HISTORIES])
async def test_recorded_history_replays(path: Path) -> None:
    await replayer().replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


async def test_an_incompatible_history_is_noticed() -> None:
    """The negative control: in this history the model was asked by an activity of another name."""
    path = next(path for path in HISTORIES if path.name == "plain.row-a.json")
    foreign = path.read_text().replace('"model.complete"', '"model.something_else"')
    json.loads(foreign)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("foreign", foreign))


async def test_a_run_that_is_sealed_otherwise_is_noticed() -> None:
    """The negative control of a run's end: here another activity sealed it."""
    path = next(path for path in HISTORIES if path.name == "sealed.run.json")
    foreign = path.read_text().replace('"provenance.seal_run"', '"provenance.something_else"')
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("foreign", foreign))


async def test_an_incompatible_loop_of_deliveries_is_noticed() -> None:
    """The negative control of the loop: here another activity delivered."""
    path = next(path for path in HISTORIES if path.name == "delivery.loop.json")
    foreign = path.read_text().replace('"notifications.deliver_due"', '"notifications.something_else"')
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("foreign", foreign))


def test_a_row_with_a_secret_has_it_in_no_event() -> None:
    recorded = next(path for path in HISTORIES if path.name == "secrets.row-a.json").read_text()
    assert "secret://catalogs/api" in b64_texts(recorded)
    assert "canary" not in b64_texts(recorded)


def b64_texts(recorded: str) -> str:
    """Return a history with its payloads readable."""
    found = re.findall(r'"data": ?"([A-Za-z0-9+/=]+)"', recorded)
    return recorded + "".join(base64.b64decode(data).decode(errors="replace") for data in found)


def test_every_workflow_has_recorded_histories() -> None:
    names = {path.name.partition(".")[2].partition("-")[0].removesuffix(".json") for path in HISTORIES}
    assert names >= {"run", "row", "loop"}
