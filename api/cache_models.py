"""What HTTP tells of the cache of answers."""

from pydantic import BaseModel, Field

from activities.llm.cache_contracts import CacheCounts


class CacheView(BaseModel):
    """The cache of model answers.

    Args:
        on: Whether it serves rows that do not say.
        hours: How long an answer serves.
        shared: What gateways share answers by: the records database, or the address of a server.
        embeddings: What gives vectors, for rows that take the answers of similar requests; empty where they get none.
        similarity: How similar those are at least.
        counts: What the gateway did with it since it started; not there while the gateway does not answer.
    """

    on: bool
    hours: float
    shared: str = Field(examples=["records", "redis://cache.internal:6379"])
    embeddings: str = Field(default="", examples=["openai/text-embedding-3-small"])
    similarity: float = 0.0
    counts: CacheCounts | None = None
