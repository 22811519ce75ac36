"""The API's process."""

import asyncio
import ipaddress
import logging
from contextlib import AsyncExitStack

import uvicorn

from api.app import create_app
from api.services import open_services
from temporal.errors import InvalidSettings
from temporal.logs import configure_logging, redact_handler
from workers.settings import Settings

STOP_SECONDS = 3


class UnsafeAddress(InvalidSettings):
    """The API would be reachable from other machines by anybody."""


async def serve(settings: Settings) -> None:
    """Serve the API until SIGTERM or SIGINT.

    Raises:
        UnsafeAddress: It would listen beyond loopback and ask nobody who they are.
    """
    if settings.auth == "off" and not settings.api_token and not _loopback(settings.api_host):
        raise UnsafeAddress(
            f"PRISM_API_HOST={settings.api_host} is not loopback: set PRISM_AUTH=on for users and tokens, "
            "or PRISM_API_TOKEN for one token"
        )
    async with AsyncExitStack() as stack:
        config = uvicorn.Config(
            create_app(settings, await open_services(settings, stack)),
            host=settings.api_host,
            port=settings.api_port,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        await uvicorn.Server(config).serve()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main() -> None:
    """Serve the API with settings from the environment."""
    settings = Settings()
    configure_logging(settings.log_level)
    access = logging.getLogger("prism.access")
    access.setLevel(logging.INFO)
    access.propagate = False
    handler = logging.StreamHandler()
    redact_handler(handler, logging.Formatter("%(message)s"))
    access.addHandler(handler)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
