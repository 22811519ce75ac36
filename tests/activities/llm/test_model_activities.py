"""The thin seam between Temporal and the gateway."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities import heartbeat
from activities.artifacts.contracts import Text, Texts, digest_of
from activities.artifacts.folder import FolderArtifactStore
from activities.llm.activity import ModelActivities
from activities.llm.contracts import JudgeRequest, ModelAnswer, ModelRequest, ModelUnavailable
from activities.llm.gateway_client import GatewayCompletion
from activities.verification.contracts import Basis
from temporal.contract import StepRef

STEP = StepRef(run="r", row="a", step="model")
HEAVY = {"litellm", "openai", "uvicorn", "starlette", "httpx", "sqlalchemy", "xllamacpp"}


def inline(text: str) -> Text:
    return Text(digest=digest_of(text.encode()), size=len(text.encode()), inline=text)


class Says:
    """A gateway that takes its time and says one thing."""

    def __init__(self, text: str = "hello", seconds: float = 0.0) -> None:
        self._text = text
        self._seconds = seconds
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        self.asked.append(request)
        await asyncio.sleep(self._seconds)
        return ModelAnswer(output=inline(self._text), group="g", model="p/m")


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return Texts(FolderArtifactStore(tmp_path))


async def beats_during(model: Says, texts: Texts) -> int:
    beats: list[object] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    await environment.run(ModelActivities(model, texts).complete, ModelRequest(step=STEP, prompt=inline("p")))
    return len(beats)


async def test_a_long_call_beats_and_a_short_one_costs_the_server_nothing(
    texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.05)
    assert await beats_during(Says(seconds=0.5), texts) >= 3
    assert await beats_during(Says(), texts) == 0


async def test_a_judge_is_asked_about_the_output_and_its_verdict_is_marked_as_judged(texts: Texts) -> None:
    model = Says(json.dumps([{"criterion": 1, "passed": True, "reason": "it greets"}]))
    request = JudgeRequest(
        step=STEP, group="judge", objective="Greet", criteria=("friendly",), output=inline("Dear reader")
    )
    judgement = await ActivityEnvironment().run(ModelActivities(model, texts).judge, request)
    assert [(verdict.basis, verdict.passed) for verdict in judgement.verdicts] == [(Basis.JUDGED, True)]
    assert model.asked[0].group == "judge"
    assert "Dear reader" in (model.asked[0].prompt.inline or "")


async def test_without_a_gateway_a_call_can_be_retried(tmp_path: Path, texts: Texts) -> None:
    completion = GatewayCompletion(tmp_path / "nobody.sock", texts)
    with pytest.raises(ModelUnavailable, match="gateway does not answer"):
        await completion.complete(ModelRequest(step=STEP, prompt=inline("p")))
    await completion.aclose()


def test_the_activities_load_no_vendor_sdk_and_no_server() -> None:
    code = "import sys, activities.llm.activity; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
