"""What HTTP tells of the cache of answers."""

from pydantic import BaseModel, Field

from activities.llm.cache_contracts import CacheCounts


class CacheView(BaseModel):
    """The cache of model answers.

    Args:
        on: Whether it serves rows that do not say.
        hours: How long an answer serves.
        shared: What gateways share answers by: the records database, or the address of a server.
        counts: What the gateway did with it since it started; not there while the gateway does not answer.
    """

    on: bool
    hours: float
    shared: str = Field(examples=["records", "redis://cache.internal:6379"])
    counts: CacheCounts | None = None
