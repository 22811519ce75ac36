"""The model gateway's process: builds it from settings and serves it."""

import asyncio
import contextlib
import logging
import os
import sys
from contextlib import aclosing
from typing import Final

from pydantic import SecretStr

from activities.budgets.contracts import InvalidBudgets
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.rules_file import load_budgets
from activities.llm.contracts import InvalidPrices
from activities.llm.embedded import EmbeddedModel
from activities.llm.gateway import build_gateway, serve_gateway
from activities.llm.groups import PROVIDERS, ModelGroups, discover_groups
from activities.llm.prices import load_prices
from activities.llm.router import LitellmCompletion
from activities.records.calls import SqlCallLedger
from activities.secrets.contracts import SecretStore, SecretsUnusable
from activities.secrets.references import resolved
from temporal.errors import PrismError
from temporal.logs import configure_logging
from temporal.redaction import PROCESS
from workers.compose import open_stores
from workers.secrets import open_secrets
from workers.settings import Settings

log = logging.getLogger("prism.gateway")

_RENEWED_SECONDS: Final = 60.0


async def run_gateway(settings: Settings) -> None:
    """Serve the model gateway until SIGTERM or SIGINT."""
    prices = load_prices(settings.prices)
    budgets = load_budgets(settings.budgets)
    stores = open_stores(settings)
    guard = SqlSpendGuard(stores.engine, budgets)
    store = open_secrets(settings)
    groups = await _groups(settings, store)
    async with aclosing(EmbeddedModel()) as embedded:
        router = LitellmCompletion(groups, stores.texts, embedded, prices, streams_all=settings.model_stream == "all")
        renewal = asyncio.create_task(_renew(router, settings, store))
        try:
            await serve_gateway(build_gateway(router, SqlCallLedger(stores.engine), guard), settings.socket)
        finally:
            renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewal


async def _renew(router: LitellmCompletion, settings: Settings, store: SecretStore) -> None:
    """Notice keys that were replaced: rows under way go on with the new one."""
    while True:
        await asyncio.sleep(_RENEWED_SECONDS)
        try:
            router.use(await _groups(settings, store))
        except PrismError as error:
            # The keys that are known may still be good.
            log.warning("the keys of model providers could not be read again: %s", error.message)


async def _groups(settings: Settings, store: SecretStore) -> ModelGroups:
    return discover_groups(
        await _provider_keys(store),
        model_url=settings.model_url,
        model_name=settings.model_name,
        model_key=await resolved(settings.model_key, "PRISM_MODEL_KEY", store),
        default=settings.default_group,
    )


async def _provider_keys(store: SecretStore) -> dict[str, str]:
    """Return the providers' keys of the environment, those read from the store that refer to it."""
    named = {key: SecretStr(os.environ[key]) for key, _ in PROVIDERS.values() if os.environ.get(key)}
    keys = {name: await resolved(value, name, store) for name, value in named.items()}
    for value in filter(None, keys.values()):
        PROCESS.remember(value)
    return {name: value.get_secret_value() for name, value in keys.items() if value}


def main() -> None:
    """Run the gateway with settings from the environment."""
    settings = Settings()
    configure_logging(settings.log_level)
    try:
        asyncio.run(run_gateway(settings))
    except (InvalidBudgets, InvalidPrices, SecretsUnusable) as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
