"""The model gateway's process: builds it from settings and serves it."""

import asyncio
import logging
import os
from contextlib import aclosing

from pydantic import SecretStr

from activities.llm.embedded import EmbeddedModel
from activities.llm.gateway import build_gateway, serve_gateway
from activities.llm.groups import PROVIDERS, discover_groups
from activities.llm.router import LitellmCompletion
from activities.records.calls import SqlCallLedger
from activities.secrets.contracts import SecretStore
from workers.compose import open_stores
from workers.secrets import open_secrets, resolved
from workers.settings import Settings


async def run_gateway(settings: Settings) -> None:
    """Serve the model gateway until SIGTERM or SIGINT."""
    stores = open_stores(settings)
    store = open_secrets(settings)
    groups = discover_groups(
        await _provider_keys(store),
        model_url=settings.model_url,
        model_name=settings.model_name,
        model_key=await resolved(settings.model_key, "PRISM_MODEL_KEY", store),
        default=settings.default_group,
    )
    async with aclosing(EmbeddedModel()) as embedded:
        router = LitellmCompletion(groups, stores.texts, embedded, streams_all=settings.model_stream == "all")
        await serve_gateway(build_gateway(router, SqlCallLedger(stores.engine)), settings.socket)


async def _provider_keys(store: SecretStore) -> dict[str, str]:
    """Return the providers' keys of the environment, those read from the store that refer to it."""
    named = {key: SecretStr(os.environ[key]) for key, _ in PROVIDERS.values() if os.environ.get(key)}
    keys = {name: await resolved(value, name, store) for name, value in named.items()}
    return {name: value.get_secret_value() for name, value in keys.items() if value}


def main() -> None:
    """Run the gateway with settings from the environment."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run_gateway(settings))


if __name__ == "__main__":
    main()
