"""The model gateway's process: builds it from settings and serves it."""

import asyncio
import contextlib
import logging
import os
import sys
from contextlib import AsyncExitStack, aclosing
from typing import Final

from pydantic import SecretStr

from activities.budgets.deployments import SqlAllowances
from activities.budgets.guard import SqlSpendGuard
from activities.budgets.rules_file import load_budgets
from activities.llm.embedded import EmbeddedModel
from activities.llm.gateway import build_gateway, serve_gateway
from activities.llm.groups import PROVIDERS, ModelGroups, discover_groups
from activities.llm.groups_file import load_groups
from activities.llm.prices import load_prices
from activities.llm.provider import LitellmProvider
from activities.llm.routing import Router
from activities.records.calls import SqlCallLedger
from activities.records.incidents import SqlIncidents
from activities.secrets.contracts import SecretStore
from activities.secrets.references import resolved
from temporal.errors import InvalidSettings, PrismError
from temporal.logs import configure_logging
from temporal.redaction import PROCESS
from temporal.secret_reference import is_reference
from workers.cache import embeddings_of, open_cache
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
    groups = await model_groups(settings, store)
    async with aclosing(EmbeddedModel()) as embedded, AsyncExitStack() as stack:
        provider = LitellmProvider(stores.texts, embedded, prices, streams_all=settings.model_stream == "all")
        ledger = SqlCallLedger(stores.engine)
        allowances = SqlAllowances(stores.engine, budgets)
        router = Router(groups, provider, SqlIncidents(stores.engine), allowances)
        embeddings = embeddings_of(settings, await _embeddings_key(settings, store), provider.load)
        cache = open_cache(settings, stores.engine, stores.texts, embeddings, stack)
        renewal = asyncio.create_task(_renew(router, settings, store))
        try:
            await serve_gateway(build_gateway(provider, router, ledger, guard, cache, allowances), settings.socket)
        finally:
            renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewal


async def _renew(router: Router, settings: Settings, store: SecretStore) -> None:
    """Notice keys that were replaced: rows under way go on with the new one."""
    while True:
        await asyncio.sleep(_RENEWED_SECONDS)
        try:
            await router.use(await model_groups(settings, store))
        except PrismError as error:
            # The keys that are known may still be good.
            log.warning("the keys of model providers could not be read again: %s", error.message)


async def model_groups(settings: Settings, store: SecretStore) -> ModelGroups:
    """Return the models of an installation: those of its file, or else what its environment offers.

    Raises:
        InvalidModels: The file cannot be used.
        SecretsUnusable: A key refers to a secret that is not there.
    """
    if settings.models is None:
        return discover_groups(
            await _provider_keys(store),
            model_url=settings.model_url,
            model_name=settings.model_name,
            model_key=await resolved(settings.model_key, "PRISM_MODEL_KEY", store),
            model_local=settings.model_local,
            default=settings.default_group,
        )

    async def key_of(source: str, whose: str) -> SecretStr | None:
        text = source if is_reference(source) else os.environ.get(source, "")
        return _quiet(await resolved(SecretStr(text) if text else None, whose, store))

    return await load_groups(settings.models, key_of, settings.default_group)


async def _provider_keys(store: SecretStore) -> dict[str, str]:
    """Return the providers' keys of the environment, those read from the store that refer to it."""
    named = {key: SecretStr(os.environ[key]) for key, _ in PROVIDERS.values() if os.environ.get(key)}
    keys = {name: _quiet(await resolved(value, name, store)) for name, value in named.items()}
    return {name: value.get_secret_value() for name, value in keys.items() if value}


async def _embeddings_key(settings: Settings, store: SecretStore) -> SecretStr | None:
    """Return the key of the deployment of embeddings: its own, or what its provider's usual variable holds."""
    if settings.cache_embeddings_key is not None:
        return _quiet(await resolved(settings.cache_embeddings_key, "PRISM_CACHE_EMBEDDINGS_KEY", store))
    variable, _ = PROVIDERS.get(settings.cache_embeddings.partition("/")[0], ("", ""))
    # A provider's key is for the provider, whoever speaks its protocol.
    text = "" if settings.cache_embeddings_url else os.environ.get(variable, "")
    return _quiet(await resolved(SecretStr(text) if text else None, variable, store))


def _quiet(key: SecretStr | None) -> SecretStr | None:
    """Return a key that is masked from now on, also one that no store gave."""
    if key is not None:
        PROCESS.remember(key)
    return key


def main() -> None:
    """Run the gateway with settings from the environment."""
    settings = Settings()
    configure_logging(settings.log_level)
    try:
        asyncio.run(run_gateway(settings))
    except InvalidSettings as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
