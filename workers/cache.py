"""Which cache of answers an installation's gateway has."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import Engine

from activities.artifacts.contracts import Texts
from activities.llm.answer_cache import AnswerCache
from activities.llm.cache_contracts import SharedAnswers
from activities.llm.cache_records import RecordedAnswers
from activities.llm.contracts import InvalidCache
from activities.llm.embeddings import LitellmEmbeddings
from activities.llm.similar_answers import SimilarAnswers
from activities.llm.similar_records import RecordedPrompts
from catalogs.row import Cache
from workers.settings import Settings

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def open_cache(
    settings: Settings,
    engine: Engine,
    texts: Texts,
    embeddings: LitellmEmbeddings | None,
    stack: AsyncExitStack,
) -> AnswerCache:
    """Return the cache of answers; nothing is connected yet.

    Args:
        settings: The process's settings.
        engine: The records database.
        texts: Where large answers are.
        embeddings: Whose vectors tell similar requests; ``None`` has none looked for.
        stack: Owns the connections.

    Raises:
        InvalidCache: The server's address cannot be used.
    """
    default = Cache.USE if settings.cache == "on" else Cache.BYPASS
    seconds = settings.cache_hours * 3600
    similar = SimilarAnswers(RecordedPrompts(engine), texts, embeddings, settings.cache_similarity, seconds)
    return AnswerCache(_shared(settings, engine, stack), texts, default, seconds, similar)


def embeddings_of(
    settings: Settings, key: SecretStr | None, load: Callable[[], "asyncio.Future[Any]"]
) -> LitellmEmbeddings | None:
    """Return the deployment whose vectors tell similar requests; ``None`` where none is named.

    Args:
        settings: The process's settings.
        key: Its key, where the installation has one.
        load: Gives the imported litellm.

    Raises:
        InvalidCache: It is not named as it has to be.
    """
    model, url = settings.cache_embeddings, settings.cache_embeddings_url
    if not model:
        if url:
            raise InvalidCache("PRISM_CACHE_EMBEDDINGS_URL needs PRISM_CACHE_EMBEDDINGS, the name of the model there")
        return None
    if not url:
        if "/" not in model:
            raise InvalidCache("PRISM_CACHE_EMBEDDINGS is provider/model, such as openai/text-embedding-3-small")
        return LitellmEmbeddings(model, "", key, local=False, load=load)
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InvalidCache(
            "PRISM_CACHE_EMBEDDINGS_URL is the address of an endpoint, such as http://127.0.0.1:11434/v1"
        )
    local = settings.cache_embeddings_local or address.hostname in _LOOPBACK
    return LitellmEmbeddings(model, url.rstrip("/"), key, local=local, load=load)


def _shared(settings: Settings, engine: Engine, stack: AsyncExitStack) -> SharedAnswers:
    if settings.cache_url is None:
        return RecordedAnswers(engine)
    from activities.llm.cache_redis import redis_answers  # noqa: PLC0415 -- only who has such a server needs its client

    answers = redis_answers(settings.cache_url.get_secret_value())
    stack.push_async_callback(answers.aclose)
    return answers
