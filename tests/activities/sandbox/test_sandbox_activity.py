"""The sandbox activity finds the program, runs it, beats its heart and keeps what was printed."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities import heartbeat
from activities.artifacts.contracts import Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.policy.embedded import EmbeddedPolicy
from activities.sandbox.activity import SandboxActivities
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import (
    Execution,
    ExecutionResult,
    ExitReason,
    Limits,
    ProgramForbidden,
    SandboxRequest,
)
from activities.sandbox.extraction import extract_program
from activities.telling import telling
from catalogs.row import Language
from temporal.contract import StepRef
from temporal.redaction import PROCESS
from workers.policy import POLICIES

STEP = StepRef(run="r", row="1", step="sandbox")
POLICY = EmbeddedPolicy(POLICIES)


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    return Texts(FolderArtifactStore(tmp_path), inline_limit=64)


class Slow:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.cancelled = False
        self.started = False

    async def execute(self, execution: Execution) -> ExecutionResult:
        self.started = True
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return ExecutionResult(reason=ExitReason.OK, exit_code=0, stdout=execution.code, stderr="")


async def test_the_program_of_an_answer_is_run_and_its_output_kept(texts: Texts, tmp_path: Path) -> None:
    answer = "First:\n```sh\nexit 1\n```\nThen:\n```python\nimport sys\nprint(sys.stdin.read() * 100)\n```\n"
    request = SandboxRequest(
        step=STEP,
        language=Language.PYTHON,
        code=await texts.pack(answer),
        extract=True,
        stdin=await texts.pack("ab"),
    )
    result = await ActivityEnvironment().run(SandboxActivities(BubblewrapSandbox(), texts, POLICY).execute, request)
    assert (result.reason, result.exit_code) == (ExitReason.OK, 0)
    assert result.stdout.inline is None
    assert await texts.read(result.stdout) == "ab" * 100 + "\n"
    assert await FolderArtifactStore(tmp_path).get(result.stderr.digest) == b""


async def test_the_heart_beats_while_a_program_runs(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.02)
    environment = ActivityEnvironment()
    beats: list[Any] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    request = SandboxRequest(step=STEP, language=Language.SHELL, code=await texts.pack(":"))
    await environment.run(SandboxActivities(Slow(0.3), texts, POLICY).execute, request)
    assert len(beats) >= 5


async def test_what_a_program_prints_is_told_while_it_runs_without_secrets(
    texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.05)
    PROCESS.remember(SecretStr("hunter2-hunter2"))
    code = await texts.pack("echo first; echo hunter2-hunter2; echo oops >&2; sleep 2; echo last")
    told: list[str] = []
    with telling(told.append):
        request = SandboxRequest(step=STEP, language=Language.SHELL, code=code)
        result = await ActivityEnvironment().run(SandboxActivities(BubblewrapSandbox(), texts, POLICY).execute, request)
    assert "last" not in told[0]
    assert all("hunter2" not in text for text in told)
    assert "first" in told[-1]
    assert "oops" in told[-1]
    assert (await texts.read(result.stdout)).endswith("last\n")


async def test_cancelling_the_activity_reaches_the_sandbox(texts: Texts) -> None:
    slow = Slow(60)
    environment = ActivityEnvironment()
    request = SandboxRequest(step=STEP, language=Language.SHELL, code=await texts.pack(":"))
    task = asyncio.create_task(environment.run(SandboxActivities(slow, texts, POLICY).execute, request))
    await asyncio.sleep(0.1)
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.cancelled


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        ("print(1)", "print(1)"),
        ("```\nprint(1)\n```", "print(1)\n"),
        ("```js\nx\n```\n```py\nprint(1)\n```", "print(1)\n"),
        ("```js\nx\n```\n```text\ny\n```", "x\n"),
        ("~~~python title=a\nprint('```')\n~~~", "print('```')\n"),
        ("````python\n```\nx\n```\n````", "```\nx\n```\n"),
        ("```Python\r\nprint(1)\r\n```\r\n", "print(1)\n"),
        ("```python\nprint(1)", "print(1)\n"),
        ("use `x` and ```y``` inline", "use `x` and ```y``` inline"),
        ("```{.python}\nprint(1)\n```", "print(1)\n"),
    ],
)
def test_the_program_of_an_answer(answer: str, program: str) -> None:
    assert extract_program(answer, Language.PYTHON) == program


def limited(folder: Path, **data: Any) -> EmbeddedPolicy:
    """Return the policies that ship, with other data for the sandbox."""
    policies = shutil.copytree(POLICIES, folder / "policies")
    file = policies / "sandbox" / "data.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | data))
    return EmbeddedPolicy(policies)


async def test_the_policy_lowers_what_a_program_may_use_and_is_named(texts: Texts, tmp_path: Path) -> None:
    policy = limited(tmp_path, most={"catalog": {"wall_seconds": 0.5, "processes": 4}, "model": {}})
    activities = SandboxActivities(BubblewrapSandbox(), texts, policy)
    request = SandboxRequest(step=STEP, language=Language.SHELL, code=await texts.pack("sleep 20"))
    result = await ActivityEnvironment().run(activities.execute, request)
    assert (result.reason, result.policy) == (ExitReason.TIMEOUT, policy.digest)
    assert result.limits == Limits(wall_seconds=0.5, processes=4)


async def test_a_program_that_the_policy_forbids_is_not_started(texts: Texts, tmp_path: Path) -> None:
    policy = limited(tmp_path, languages={"catalog": ["python"], "model": []})
    slow = Slow(0)
    request = SandboxRequest(step=STEP, language=Language.SHELL, code=await texts.pack(":"))
    with pytest.raises(ProgramForbidden, match="does not let this program run: a program by the catalog in shell"):
        await ActivityEnvironment().run(SandboxActivities(slow, texts, policy).execute, request)
    assert not slow.started
