"""The model gateway's process: builds it from settings and serves it."""

import asyncio
import logging
import os
from contextlib import aclosing

from activities.llm.embedded import EmbeddedModel
from activities.llm.gateway import build_gateway, serve_gateway
from activities.llm.groups import discover_groups
from activities.llm.router import LitellmCompletion
from activities.records.calls import SqlCallLedger
from workers.compose import open_stores
from workers.settings import Settings


async def run_gateway(settings: Settings) -> None:
    """Serve the model gateway until SIGTERM or SIGINT."""
    stores = open_stores(settings)
    groups = discover_groups(
        os.environ,
        model_url=settings.model_url,
        model_name=settings.model_name,
        model_key=settings.model_key,
        default=settings.default_group,
    )
    async with aclosing(EmbeddedModel()) as embedded:
        router = LitellmCompletion(groups, stores.texts, embedded, streams_all=settings.model_stream == "all")
        await serve_gateway(build_gateway(router, SqlCallLedger(stores.engine)), settings.socket)


def main() -> None:
    """Run the gateway with settings from the environment."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_gateway(settings))


if __name__ == "__main__":
    main()
