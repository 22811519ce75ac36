"""A real uvicorn server on a socket, in a thread, over records that are seeded as workers write them."""

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from activities.artifacts.contracts import Text, digest_of
from activities.records.contracts import RowRecord, RowState, RunChange, RunOpening, RunState, StepRecord
from activities.verification.contracts import Basis, Verdict
from api.app import create_app
from api.services import Services, open_services
from temporal.contract import StepRef
from workers.settings import Settings

PLAN = "sha256:" + "0" * 64
TOKEN = "a-token-of-the-tests"  # noqa: S105 -- guards nothing


class SeededApi:
    """A server with its own event loop, so that blocking clients can be used beside it."""

    token = TOKEN

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Nothing listens on port 1: reading needs no Temporal.
        self.settings = Settings(home=home, api_port=port, api_token=TOKEN, temporal_address="127.0.0.1:1")
        self.url = self.settings.console_url
        self.loop = asyncio.new_event_loop()
        self.services: Services
        self.server: uvicorn.Server | None = None
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            self.services = await open_services(self.settings, stack)
            config = uvicorn.Config(
                create_app(self.settings, self.services),
                port=self.settings.api_port,
                log_level="critical",
                timeout_graceful_shutdown=1,
            )
            self.server = uvicorn.Server(config)
            await self.server.serve()

    def start(self) -> None:
        self.thread.start()
        deadline = time.monotonic() + 30
        while not (self.server and self.server.started):
            assert self.thread.is_alive(), "the server ended"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        if self.server:
            self.server.should_exit = True
        self.thread.join(30)
        self.loop.close()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def open_run(self, run: str, rows: list[str]) -> None:
        keeper = self.services.stores.keeper
        self.do(keeper.open_run(RunOpening(run=run, plan=PLAN, title=f"title of {run}", started_at=at(0))))
        planned = [{"row": row, "position": place, "title": f"title of {row}"} for place, row in enumerate(rows)]
        self.do(keeper.open_rows(run, planned))
        self.do(keeper.change_run(RunChange(run=run, state=RunState.RUNNING, sequence=1, at=at(1))))

    def end_row(self, run: str, row: str, output: str, state: RowState = RowState.SUCCEEDED) -> str:
        """Record a row's end; returns its output's digest."""
        data = output.encode()
        good = state is RowState.SUCCEEDED
        record = RowRecord(
            step=StepRef(run=run, row=row, step="record"),
            state=state,
            started_at=at(1),
            finished_at=at(3),
            code="" if good else "VERIFICATION_FAILED",
            message="" if good else "the answer is too long",
            output=Text(digest=digest_of(data), size=len(data), inline=output),
            model="test/model",
            verdicts=(Verdict(criterion="max_words:5", basis=Basis.PROVEN, passed=good),),
            steps=(StepRecord(step="model", started_at=at(1), finished_at=at(3), summary="answered"),),
        )
        self.do(self.services.stores.keeper.record_row(record))
        return digest_of(data)

    def end_run(self, run: str, state: RunState = RunState.COMPLETED) -> None:
        self.do(self.services.stores.keeper.change_run(RunChange(run=run, state=state, sequence=9, at=at(9))))


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02d}.000000Z"


@pytest.fixture
def seeded_api(tmp_path: Path) -> Iterator[SeededApi]:
    api = SeededApi(tmp_path / "home")
    api.start()
    yield api
    api.stop()
