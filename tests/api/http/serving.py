"""The API as it is served: uvicorn on a socket, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from api.app import create_app
from api.services import Services, open_services
from tests.conftest import free_port
from workers.settings import Settings

START_SECONDS = 30


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
        services = await open_services(settings)
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
