"""A served API over seeded records, and one over the dev server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from activities.records.contracts import RowState, RunState
from temporal.client import connect
from tests.api.http.seeding import Seed, Seeder, proven, unverified
from tests.api.http.serving import Serving, serving, temporal_server
from tests.conftest import free_port
from workers.settings import Settings

FORMULAS = ("=1+1", "+cmd", "-2", "@SUM(A1)")
LARGE = "long " * 20_000


def rows() -> list[Seed]:
    """Rows of every kind that the API has to tell apart."""
    formulas = [
        Seed(f"sheets/formula-{number}", f"Formula {number}", "a formula", output=text)
        for number, text in enumerate(FORMULAS)
    ]
    return [
        *formulas,
        Seed(
            "ops/large", "Large", "a large output", output=LARGE, verdicts=[proven("max_words:9"), unverified("kind")]
        ),
        Seed("ops/quoted", "Quoted", "quotes", output='line "one"\nline, two\r\n<b>ü</b>'),
        Seed("ops/review", "To review", "needs a person", state=RowState.REVIEW, output="draft", message="policy"),
        Seed("ops/failed", "Failed", "fails", state=RowState.FAILED, output="x", code="CODE_FAILED", message="boom"),
        Seed("ops/blocked", "Blocked", "is blocked", state=RowState.BLOCKED, message="ops/failed failed"),
        Seed("ops/pending", "Pending", "waits", state=RowState.PENDING),
    ]


async def seed(served: Serving) -> None:
    """Write the runs ``ended``, ``going`` and ``many``."""
    seeder = Seeder(served.settings, served.services.stores)
    await seeder.run("ended", "An ended run", rows(), state=RunState.COMPLETED_WITH_FAILURES, minutes_ago=9)
    await seeder.run("going", "A going run", rows()[:6], state=RunState.RUNNING, minutes_ago=3)
    many = [Seed(f"many/{number:03d}", f"Row {number}", "one of many", state=RowState.PENDING) for number in range(25)]
    await seeder.run("many", "Many rows", many, state=RunState.RUNNING, minutes_ago=1)


@pytest.fixture(scope="session")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """An API whose Temporal server does not answer, over seeded runs ``ended``, ``going`` and ``many``."""
    settings = Settings(home=tmp_path_factory.mktemp("seeded"), temporal_address=f"127.0.0.1:{free_port()}")
    with serving(settings) as served:
        await seed(served)
        yield served


@pytest.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """An API over a dev server without workers, over the same seeded runs."""
    home = tmp_path_factory.mktemp("running")
    async with temporal_server(home) as address:
        with serving(Settings(home=home, temporal_address=address.target)) as served:
            await seed(served)
            yield served


@pytest.fixture(scope="session")
async def temporal(running: Serving) -> Client:
    """A client of the dev server behind ``running``."""
    return await connect(running.settings.temporal)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Serving]:
    """An API that takes small bodies only and wants a token."""
    settings = Settings(home=tmp_path, temporal_address=f"127.0.0.1:{free_port()}", max_body_bytes=2000)
    with serving(settings.model_copy(update={"api_token": SecretStr("a-token")})) as served:
        yield served


@pytest.fixture
async def http(seeded: Serving) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the seeded API."""
    async with httpx.AsyncClient(base_url=seeded.url, timeout=60) as client:
        yield client


@pytest.fixture
async def live(running: Serving) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API over the dev server."""
    async with httpx.AsyncClient(base_url=running.url, timeout=60) as client:
        yield client
