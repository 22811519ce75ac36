"""Looking at the cache of answers and clearing it: what every front door calls."""

from activities.audit.contracts import AuditEvent, AuditKind
from activities.llm.cache_asking import cache_counts, clear_cache
from activities.llm.contracts import ModelUnavailable
from api.addresses import without_password
from api.cache_models import CacheView
from api.services import Services


async def cache(services: Services) -> CacheView:
    """Return how the cache is set up and what it did."""
    settings = services.settings
    try:
        counts = await cache_counts(settings.socket)
    except ModelUnavailable:
        counts = None
    url = settings.cache_url.get_secret_value() if settings.cache_url else ""
    return CacheView(
        on=settings.cache == "on",
        hours=settings.cache_hours,
        shared=without_password(url) if url else "records",
        embeddings=settings.cache_embeddings,
        similarity=settings.cache_similarity if settings.cache_embeddings else 0.0,
        counts=counts,
    )


async def clear(services: Services) -> CacheView:
    """Have all answers forgotten, and return how the cache stands.

    Raises:
        ModelUnavailable: The gateway, or what gateways share, does not answer.
    """
    await clear_cache(services.settings.socket)
    await services.audit.write(AuditEvent(kind=AuditKind.CACHE_CLEARED, subject="cache"))
    return await cache(services)
