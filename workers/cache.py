"""Which cache of answers an installation's gateway has."""

from contextlib import AsyncExitStack

from sqlalchemy import Engine

from activities.artifacts.contracts import Texts
from activities.llm.answer_cache import AnswerCache
from activities.llm.cache_contracts import SharedAnswers
from activities.llm.cache_records import RecordedAnswers
from catalogs.row import Cache
from workers.settings import Settings


def open_cache(settings: Settings, engine: Engine, texts: Texts, stack: AsyncExitStack) -> AnswerCache:
    """Return the cache of answers; nothing is connected yet.

    Args:
        settings: The process's settings.
        engine: The records database.
        texts: Where large answers are.
        stack: Owns the connections.

    Raises:
        InvalidCache: The server's address cannot be used.
    """
    default = Cache.USE if settings.cache == "on" else Cache.BYPASS
    return AnswerCache(_shared(settings, engine, stack), texts, default, settings.cache_hours * 3600)


def _shared(settings: Settings, engine: Engine, stack: AsyncExitStack) -> SharedAnswers:
    if settings.cache_url is None:
        return RecordedAnswers(engine)
    from activities.llm.cache_redis import redis_answers  # noqa: PLC0415 -- only who has such a server needs its client

    answers = redis_answers(settings.cache_url.get_secret_value())
    stack.push_async_callback(answers.aclose)
    return answers
