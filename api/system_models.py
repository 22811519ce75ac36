"""What HTTP tells of the installation itself."""

from pydantic import BaseModel, Field

from activities.llm.described import GatewayModels
from api.cache_models import CacheView
from temporal.queue_state import QueueState


class PolicyView(BaseModel):
    """A policy in force; ``digest`` is the one that decisions and provenance name.

    Args:
        engine: ``embedded``, or the OPA server that decides, by the bundle that it was given.
        fault: Why files that have changed since are not in force; empty when they are.
    """

    name: str
    title: str
    engine: str
    digest: str
    fault: str = ""
    files: dict[str, str] = Field(description="Rego sources and data documents by path")


class Setting(BaseModel):
    """A setting as its environment variable; of a secret only that it is set."""

    name: str
    value: str
    chosen: bool = Field(description="Whether it differs from its default")


class Spend(BaseModel):
    """What rows that ended lately cost with a model, in US dollars."""

    model: str
    rows: int
    day: float
    week: float
    month: float


class DayShare(BaseModel):
    """What local models took of a day's (UTC) calls that write rows, as the routing counts it.

    Args:
        share: As the target counts it; ``None`` before the first call. ``of_calls`` and ``of_tokens`` are both.
        target: What the routing is to reach; ``None`` where rows are not routed.
    """

    day: str
    calls: int
    local_calls: int
    tokens: int
    local_tokens: int
    of: str
    share: float | None = None
    of_calls: float | None = None
    of_tokens: float | None = None
    target: float | None = None


class System(BaseModel):
    """The installation: queues, policies, models, spending, and for administrators its settings.

    Args:
        models: What the gateway on this machine has; ``None`` where none answers.
        local_shares: Of the last seven days that had calls, the newest first.
    """

    version: str
    temporal: str
    namespace: str
    queues: list[QueueState]
    policies: list[PolicyView]
    models: GatewayModels | None = None
    local_shares: list[DayShare] = []
    spend: list[Spend]
    cache: CacheView
    settings: list[Setting]
