"""The model gateway's process: builds it from settings and serves it."""

import asyncio
import logging
import os
import sys
from contextlib import aclosing

from pydantic import SecretStr

from activities.budgets.contracts import InvalidBudgets
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.rules_file import load_budgets
from activities.llm.contracts import InvalidPrices
from activities.llm.embedded import EmbeddedModel
from activities.llm.gateway import build_gateway, serve_gateway
from activities.llm.groups import PROVIDERS, discover_groups
from activities.llm.prices import load_prices
from activities.llm.router import LitellmCompletion
from activities.records.calls import SqlCallLedger
from activities.secrets.contracts import SecretStore
from workers.compose import open_stores
from workers.secrets import open_secrets, resolved
from workers.settings import Settings


async def run_gateway(settings: Settings) -> None:
    """Serve the model gateway until SIGTERM or SIGINT."""
    prices = load_prices(settings.prices)
    budgets = load_budgets(settings.budgets)
    stores = open_stores(settings)
    guard = SqlSpendGuard(stores.engine, budgets)
    store = open_secrets(settings)
    groups = discover_groups(
        await _provider_keys(store),
        model_url=settings.model_url,
        model_name=settings.model_name,
        model_key=await resolved(settings.model_key, "PRISM_MODEL_KEY", store),
        default=settings.default_group,
    )
    async with aclosing(EmbeddedModel()) as embedded:
        router = LitellmCompletion(groups, stores.texts, embedded, prices, streams_all=settings.model_stream == "all")
        await serve_gateway(build_gateway(router, SqlCallLedger(stores.engine), guard), settings.socket)


async def _provider_keys(store: SecretStore) -> dict[str, str]:
    """Return the providers' keys of the environment, those read from the store that refer to it."""
    named = {key: SecretStr(os.environ[key]) for key, _ in PROVIDERS.values() if os.environ.get(key)}
    keys = {name: await resolved(value, name, store) for name, value in named.items()}
    return {name: value.get_secret_value() for name, value in keys.items() if value}


def main() -> None:
    """Run the gateway with settings from the environment."""
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(run_gateway(settings))
    except (InvalidBudgets, InvalidPrices) as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
