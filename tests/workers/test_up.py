"""``prism up`` as a person meets it: one process to start, stop and trust."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from temporal.dev_server import DatabaseCorrupt
from tests.conftest import free_port
from tests.provider.process import vendor_process
from workers.settings import Settings
from workers.up import AlreadyRunning, PortInUse, check_surroundings, up

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("up")]
UP = (
    "import asyncio, sys; from workers.settings import Settings; from workers.up import up; "
    "sys.exit(asyncio.run(up(Settings())))"
)


class Running:
    """A ``prism up`` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, home: Path, port: int) -> None:
        self.process = process
        self.home = home
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)

    @property
    def parts(self) -> dict[str, int]:
        parts: dict[str, int] = json.loads((self.home / "up.json").read_text())["parts"]
        return parts

    async def ready(self) -> None:
        async with asyncio.timeout(90):
            while True:
                try:
                    if (await self.client.get("/readyz")).is_success and (self.home / "up.json").exists():
                        return
                except httpx.HTTPError:
                    if self.process.returncode is not None:
                        output, _ = await self.process.communicate()
                        pytest.fail(output.decode())
                await asyncio.sleep(0.1)

    async def stop(self, number: int = signal.SIGTERM) -> str:
        self.process.send_signal(number)
        output, _ = await asyncio.wait_for(self.process.communicate(), 60)
        return output.decode()


@asynccontextmanager
async def prism_up(home: Path, **environment: str) -> AsyncIterator[Running]:
    port = free_port()
    variables = {
        **os.environ,
        "PRISM_HOME": str(home),
        "PRISM_API_PORT": str(port),
        "PRISM_TEMPORAL_PORT": str(free_port()),
        "PRISM_TEMPORAL_UI_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", UP, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    running = Running(process, home, port)
    try:
        await running.ready()
        yield running
    finally:
        if process.returncode is None:
            await running.stop()
        await running.client.aclose()


async def run_ended(client: httpx.AsyncClient, run: str) -> dict[str, object]:
    async with asyncio.timeout(90):
        while True:
            view: dict[str, object] = (await client.get(f"/api/v1/runs/{run}")).json()
            if view["finished_at"]:
                return view
            await asyncio.sleep(0.1)


async def submitted(client: httpx.AsyncClient, csv: str) -> str:
    answer = await client.post("/api/v1/runs", content=csv, headers={"content-type": "text/csv"})
    return str(answer.raise_for_status().json()["run"])


async def test_it_runs_catalogs_keeps_state_over_restarts_stops_cleanly_and_leaves_no_part_when_killed(
    tmp_path: Path,
) -> None:
    async with vendor_process() as vendor:
        model = {"PRISM_MODEL_URL": vendor.url, "PRISM_MODEL_NAME": "stub"}
        async with prism_up(tmp_path, **model) as prism:
            done = await submitted(prism.client, "id,objective\na,Say hello\n")
            assert (await run_ended(prism.client, done))["state"] == "completed"
            waiting = await submitted(prism.client, "id,objective,review\na,Say hello,required\n")
            await row_in_review(prism.client, waiting)
            output = await prism.stop()
        for line in ("Prism Console is up.", "API docs", "Temporal Web", "stopped; the state of all runs is kept"):
            assert line in output
        assert not (tmp_path / "up.json").exists()

        async with prism_up(tmp_path, **model) as prism:
            assert (await prism.client.get(f"/api/v1/runs/{done}")).json()["state"] == "completed"
            decision = {"by": "ana", "comment": "fine"}
            answer = await prism.client.post(f"/api/v1/runs/{waiting}/rows/a/approve", json=decision)
            assert answer.status_code == 200
            assert (await run_ended(prism.client, waiting))["state"] == "completed"
            await assert_no_part_outlives_it(prism)
        assert await vendor.requests() == 2


async def assert_no_part_outlives_it(prism: Running) -> None:
    """Kill the supervisor as the kernel does when memory runs out."""
    pids = prism.parts.values()
    prism.process.kill()
    await prism.process.wait()
    async with asyncio.timeout(60):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.1)


async def row_in_review(client: httpx.AsyncClient, run: str) -> None:
    async with asyncio.timeout(60):
        while (await client.get(f"/api/v1/runs/{run}")).json()["counts"].get("review") != 1:
            await asyncio.sleep(0.1)


async def test_there_is_one_on_a_state_its_dead_parts_are_started_again_and_ctrl_c_stops_all(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text("999999")
    async with prism_up(tmp_path) as prism:
        with pytest.raises(AlreadyRunning, match=f"process {prism.process.pid}"):
            await up(settings(tmp_path))
        before = prism.parts
        for name in ("api", "temporal"):
            os.kill(before[name], signal.SIGKILL)
        async with asyncio.timeout(60):
            while prism.parts["api"] == before["api"] or prism.parts["temporal"] == before["temporal"]:
                await asyncio.sleep(0.1)
        await prism.ready()
        output = await prism.stop(signal.SIGINT)
        assert "api ended (killed by SIGKILL); starting it again" in output
        assert prism.process.returncode == 0
        for pid in before.values():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def settings(home: Path) -> Settings:
    return Settings(home=home, api_port=free_port(), temporal_port=free_port(), temporal_ui_port=free_port())


def test_a_port_in_use_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    taken = settings(tmp_path)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", taken.temporal_port))
        listener.listen()
        with pytest.raises(PortInUse, match=rf"port {taken.temporal_port} for Temporal .* set PRISM_TEMPORAL_PORT"):
            check_surroundings(taken)


@pytest.mark.parametrize("name", ["temporal.db", "records.db"])
def test_a_damaged_database_is_named_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no database" * 100)
    with pytest.raises(DatabaseCorrupt, match=rf"{name} is damaged .* move it away"):
        check_surroundings(settings(tmp_path))
    assert (tmp_path / name).read_bytes().startswith(b"this is no database")


def test_a_sound_database_passes(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "records.db").execute("CREATE TABLE t (x)").connection.close()
    check_surroundings(settings(tmp_path))
