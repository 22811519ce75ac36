"""The API as it is served: uvicorn on a socket, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from api.app import create_app
from api.services import Services, open_services
from temporal.address import TemporalAddress
from temporal.dev_server import dev_server_command
from tests.conftest import answering, free_port
from workers.settings import Settings

START_SECONDS = 30


@asynccontextmanager
async def temporal_server(folder: Path) -> AsyncIterator[TemporalAddress]:
    """A dev server of our own.

    On the session's server a worker of any other test would take up the runs submitted here, and a worker started
    here would take up theirs, without their artifacts.
    """
    address = TemporalAddress(target=f"127.0.0.1:{free_port()}")
    command = dev_server_command(folder / "temporal.db", int(address.target.rpartition(":")[2]), free_port())
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await answering(address)
        yield address
    finally:
        process.terminate()
        await process.wait()


@dataclass(frozen=True)
class Serving:
    """A served API.

    Args:
        url: Where it is, without a slash at the end.
        settings: What it was started with.
        services: What its routes work with; its Temporal client belongs to the server's own loop.
    """

    url: str
    settings: Settings
    services: Services


@contextmanager
def serving(settings: Settings) -> Iterator[Serving]:
    """Serve the API on a free port until the block ends."""
    port = free_port()
    settings = settings.model_copy(update={"api_port": port})
    started: list[Services] = []
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            services = await open_services(settings, stack)
            app = create_app(settings, services)
            config = uvicorn.Config(
                app, host="127.0.0.1", port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
            server = uvicorn.Server(config)
            started.append(services)
            servers.append(server)
            await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="served-api")
    thread.start()
    try:
        pause = threading.Event()
        for _ in range(START_SECONDS * 50):
            if servers and servers[0].started:
                break
            pause.wait(0.02)
        else:
            raise TimeoutError("the API did not start")
        yield Serving(url=f"http://127.0.0.1:{port}", settings=settings, services=started[0])
    finally:
        if servers:
            servers[0].should_exit = True
        thread.join(START_SECONDS)
