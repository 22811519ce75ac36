"""Real servers, started once a session on free ports."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from temporal.address import TemporalAddress
from temporal.client import TemporalUnavailable, connect, register_search_attributes
from temporal.dev_server import dev_server_command
from temporal.redaction import PROCESS

SLOW = ("chaos", "up", "browser", "delivery")
START_SECONDS = 60

# No test writes into the keyring of whoever runs it; and a test's own keyring, which the library would choose by
# itself once its class exists, is not seen by the processes that tests start. They inherit this.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
# Whatever is about people and their rights says so; the others ask nobody.
os.environ["PRISM_AUTH"] = "off"


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
async def dev_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalAddress]:
    """The real dev server, as ``prism up`` starts it."""
    address = TemporalAddress(target=f"127.0.0.1:{free_port()}")
    database = tmp_path_factory.mktemp("temporal") / "temporal.db"
    command = dev_server_command(database, int(address.target.rpartition(":")[2]), free_port())
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await answering(address)
        yield address
    finally:
        process.terminate()
        await process.wait()


async def answering(address: TemporalAddress) -> Client:
    """Return a client as soon as the server answers."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                return await connect(address)
            except TemporalUnavailable:
                await asyncio.sleep(0.1)


@pytest.fixture(scope="session")
async def dev_client(dev_server: TemporalAddress) -> Client:
    """A client of the dev server."""
    return await connect(dev_server)


@pytest.fixture
async def skipping_client() -> AsyncIterator[Client]:
    """A client of a real time-skipping test server of this test's own: one that hangs, hangs for all that use it."""
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter,
        test_server_existing_path=str(Path(sys.executable).with_name("temporal-test-server")),
    )
    async with environment:
        await register_search_attributes(environment.client)
        yield environment.client


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a module on one worker, which starts the module's servers once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    # Those that take minutes begin, so that no worker waits for them at the end.
    items.sort(key=lambda item: SLOW.index(_group(item)) if _group(item) in SLOW else len(SLOW))


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else ""


@pytest.fixture(autouse=True)
def _forget_secrets() -> Iterator[None]:
    """What a test made secret is masked for as long as the process lives: here, only while the test does."""
    known = PROCESS._forms, PROCESS._pattern
    yield
    PROCESS._forms, PROCESS._pattern = known
