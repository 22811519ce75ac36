"""What a catalog would ask of models and cost, as HTTP answers tell it. Amounts are US dollars."""

from pydantic import BaseModel, Field


class GroupEstimate(BaseModel):
    """What the rows of one model group would cost.

    Args:
        group: As rows name it; empty for the default group.
        model: Deployment that answers when all are well.
        calls: Calls that are made in any case, the judge's too.
        most_calls: Calls there can be, as every row whose criteria fail is written once more, and as models may call
            tools and are asked again after that.
        tool_calls: Those of them that follow calls of tools; ``tools_usd`` is what they may cost, within ``most_usd``.
        prompt_tokens: Of the calls that are made in any case.
        completion_tokens: Of their answers.
        answers_seen: How many earlier answers of the group tell how long one is; 0: half of the longest is taken.
        unpriced: Deployments that may answer and have no price; they count as free.
    """

    group: str
    model: str = ""
    local: bool = False
    rows: int = 0
    calls: int = 0
    most_calls: int = 0
    tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    answers_seen: int = 0
    unpriced: list[str] = []
    usd: float = 0.0
    most_usd: float = 0.0
    tools_usd: float = 0.0


class Shortage(BaseModel):
    """A budget that has less left than the catalog may cost; rows would wait for somebody to allow more.

    Args:
        certain: It has less left than is expected, not only less than the most there can be.
    """

    budget: str
    period: str
    left_usd: float
    usd: float
    most_usd: float
    certain: bool


class Estimate(BaseModel):
    """What a catalog would ask of models and cost.

    Args:
        usd: What is to be expected.
        most_usd: The most there can be before a reviewer asks for changes: every answer as long as it may be, the
            dearest model that may stand in, every row with criteria written twice, and all that models may call tools.
        tools_usd: How much of that is for what models are asked after calls of tools: as often as they may, with all
            that tools may print in each prompt. Nothing of it is expected.
        tool_calls: How many calls that are.
        cacheable: Rows that an earlier answer may serve, by their column ``cache`` or as the installation has it. They
            count as asked anew: what the cache holds for them is known only when their prompts are composed and the
            policy has said where they may go.
        unknown: Groups that rows name and that are not there, each with why; those rows would fail.
    """

    rows: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    most_usd: float = 0.0
    tools_usd: float = 0.0
    tool_calls: int = 0
    cacheable: int = 0
    groups: list[GroupEstimate] = []
    shortages: list[Shortage] = []
    unknown: dict[str, str] = Field(default_factory=dict)
