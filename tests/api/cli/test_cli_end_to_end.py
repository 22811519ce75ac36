"""Commands over a whole system: ``prism run`` that starts what it needs, and the plain-Temporal way."""

import asyncio
import json
import os
import shlex
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port
from tests.provider.process import vendor_process

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("up")]
CATALOG = "board,task,title,objective,review\nops,one,First,Say one,\ntreasury,cash,Cash,Plan the cash,required\n"
PROJECT = Path(__file__).parents[3]
PRICES = "usd_per_million_tokens: {openai/stub: {input: 1000, output: 2000}}\n"


class Shell:
    """Runs commands as a person does, in one folder, with one installation."""

    def __init__(self, folder: Path, model_url: str) -> None:
        self.folder = folder
        api, temporal, ui = (str(free_port()) for _ in range(3))
        self.own_token = folder / "home" / "up.token"
        self.api, self.temporal = f"http://127.0.0.1:{api}", f"127.0.0.1:{temporal}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PRISM_")}
        self._environment = kept | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "PRISM_HOME": str(folder / "home"),
            "PRISM_API_PORT": api,
            "PRISM_TEMPORAL_PORT": temporal,
            "PRISM_TEMPORAL_UI_PORT": ui,
            "PRISM_MODEL_URL": model_url,
            "PRISM_MODEL_NAME": "stub",
            "PRISM_USER": "ana",
            "PRISM_PRICES": str(folder / "prices.yaml"),
        }

    async def start(self, *command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *command: str, code: int = 0) -> str:
        process = await self.start(*command)
        output, told = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == code, told.decode() + output.decode()
        return output.decode()

    async def prism(self, *arguments: str, code: int = 0) -> str:
        return await self.run(sys.executable, "-m", "api.cli.main", *arguments, code=code)

    async def temporal_workflow(self, *arguments: str) -> str:
        return await self.run("temporal", "workflow", *arguments, "--address", self.temporal)


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    (tmp_path / "work.csv").write_text(CATALOG)
    (tmp_path / "quick.csv").write_text("id,objective\na,Say a\nb,Say b\n")
    (tmp_path / "prices.yaml").write_text(PRICES)
    async with vendor_process() as vendor:
        yield Shell(tmp_path, vendor.url)


async def test_run_starts_what_it_needs_shows_and_saves_the_results_and_leaves_nothing_running(shell: Shell) -> None:
    told = json.loads(await shell.prism("run", "quick.csv", "--json", "--out", "results.jsonl"))
    assert told["run"]["state"] == "completed"
    assert {row["row"]: row["state"] for row in told["rows"]} == {"a": "succeeded", "b": "succeeded"}
    saved = [json.loads(line) for line in (shell.folder / "results.jsonl").read_text().splitlines()]
    assert all(row["output"].startswith("Answer to a prompt") for row in saved)
    await shell.prism("status", told["run"]["run"], code=1)


async def test_the_command_that_plan_prints_starts_the_run_and_plain_temporal_signals_decide_it(shell: Shell) -> None:
    system = await shell.start(sys.executable, "-m", "api.cli.main", "up")
    try:
        await reachable(shell)
        await estimated(shell)
        printed = (await shell.prism("plan", "work.csv", "--run", "mine")).splitlines()[-1]
        await shell.run(*shlex.split(printed))
        await state(shell, "review")
        row = "catalog/mine/row/treasury/cash"
        await shell.temporal_workflow("signal", "-w", row, "--name", "approve", "--input", '{"by": "ana"}')
        assert await refused(shell) == 401
        assert "login?link=" in await shell.prism("login-link")
        seen = json.loads(await shell.prism("status", "mine", "--watch", "--json"))
        assert seen["state"] == "completed"
        envelope = json.loads(await shell.prism("row", "mine", "treasury/cash", "--json"))["envelope"]
        assert envelope.startswith("sha256:")
    finally:
        system.terminate()
        await asyncio.wait_for(system.communicate(), 60)
    assert system.returncode == 0
    assert not shell.own_token.exists()


async def estimated(shell: Shell) -> None:
    told = await shell.prism("estimate", "work.csv", "--budget-usd", "2")
    assert "openai/stub" in told
    assert "2 calls" in told
    assert "which may not be enough" in told
    found = json.loads(await shell.prism("estimate", "work.csv", "--budget-usd", "0.01", "--json"))["estimate"]
    assert 0 < found["usd"] < found["most_usd"]
    assert [(one["budget"], one["certain"]) for one in found["shortages"]] == [("run", True)]


async def reachable(shell: Shell) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http, asyncio.timeout(90):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get(f"{shell.api}/readyz")).is_success:
                    return
            await asyncio.sleep(0.1)


async def refused(shell: Shell) -> int:
    """Return what somebody is answered who is at this machine and has no token."""
    assert stat.S_IMODE(shell.own_token.stat().st_mode) == 0o600
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return (await http.get(f"{shell.api}/api/v1/runs")).status_code


async def state(shell: Shell, wanted: str) -> None:
    headers = {"authorization": f"Bearer {shell.own_token.read_text()}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as http, asyncio.timeout(60):
        while True:
            answer = await http.get(f"{shell.api}/api/v1/runs/mine/rows/treasury/cash")
            if answer.is_success and answer.json()["state"] == wanted:
                return
            await asyncio.sleep(0.1)
