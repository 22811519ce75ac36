"""Who writes a row: decided by what it names, its data, its risk, its length, the money left and the local share.

Pure; the first rule that applies decides, and says so.
"""

from dataclasses import dataclass
from typing import Final

from activities.llm.contracts import NoLocalModel
from activities.llm.groups import AUTO, ModelGroup, ModelGroups, RoutingRules
from activities.llm.prices import CHARACTERS_PER_TOKEN
from activities.routing.contracts import Route, RouteRequest
from activities.routing.share import Course
from catalogs.criteria import Form, parse_criterion
from catalogs.row import Risk

# With less than this part of a budget left, rows that need no better model get the least.
THRIFTY_BELOW: Final = 0.2
# How a local model is taken to serve a row: how much harm it may do, whether code would notice, how long it is.
_RISKS: Final = {Risk.LOW: 1.0, Risk.MEDIUM: 0.4, Risk.HIGH: 0.1, Risk.CRITICAL: 0.0}
_WEIGHTS: Final = {"risk": 0.35, "checked": 0.35, "short": 0.2, "plain": 0.1}
_NO_CRITERIA: Final = 0.4
_LONG_TOKENS: Final = 4096


@dataclass(frozen=True)
class Open:
    """A row that could go either way: whether it stays local is for the share to say.

    Args:
        local: Who writes it then.
        other: Who writes it else.
    """

    local: tuple[str, ...]
    other: tuple[str, ...]
    suits: float


def choose(groups: ModelGroups, request: RouteRequest, budget_left: float | None = None) -> Route | Open:
    """Return who writes a row, or that the local share decides.

    Args:
        groups: The installation's models, with how they are routed.
        request: What is known of the row.
        budget_left: Which part is left of the tightest budget that the row counts against; ``None`` without any.

    Raises:
        UnknownModel: The row names a group that is not configured.
        NoLocalModel: Its data may go to local models only, and none can serve it.
    """
    rules = groups.routing or RoutingRules(tiers=(groups.default,))
    if request.model not in {"", AUTO}:
        return _named(groups, rules, request)
    tiers = [groups.find(name) for name in rules.tiers]
    if request.local_only:
        tiers = [tier for tier in tiers if groups.serves_locally(tier.name)]
        if not tiers:
            raise NoLocalModel("no tier of the routing has a local model, and no other may see the row")
    tokens = request.prompt_bytes // CHARACTERS_PER_TOKEN + request.max_tokens
    # Where no tier reads as much, the provider says so itself.
    fitting = [tier for tier in tiers if _reads(tier, tokens)] or tiers[-1:]
    return _tiered(fitting, rules, request, tokens, budget_left, skipped=len(fitting) < len(tiers))


def suitability(request: RouteRequest) -> float:
    """Return how well a local model would serve a row, from 0 to 1.

    Best are rows that do no harm, whose answer code can prove wrong (then a better model writes it anew), and that
    are short.
    """
    proven = [parse_criterion(one).form is not Form.FREE_TEXT for one in request.criteria]
    tokens = request.prompt_bytes / CHARACTERS_PER_TOKEN
    parts = {
        "risk": _RISKS[request.risk],
        "checked": sum(proven) / len(proven) if proven else _NO_CRITERIA,
        "short": max(1 - tokens / _LONG_TOKENS, 0.0),
        "plain": (0.5 if request.runs_code else 1.0) / request.calls,
    }
    return round(sum(_WEIGHTS[name] * part for name, part in parts.items()), 4)


def _named(groups: ModelGroups, rules: RoutingRules, request: RouteRequest) -> Route:
    group = groups.find(request.model)
    if request.local_only and not groups.serves_locally(group.name):
        raise NoLocalModel(f"no local model may answer for {request.model!r}, and no other may see the row")
    place = rules.tiers.index(group.name) if group.name in rules.tiers else len(rules.tiers)
    better = [name for name in rules.tiers[place + 1 :] if not request.local_only or groups.serves_locally(name)]
    local = request.local_only or group.local
    return Route(groups=(request.model, *better), reason="the row names it", local=local)


def _tiered(
    tiers: list[ModelGroup],
    rules: RoutingRules,
    request: RouteRequest,
    tokens: int,
    budget_left: float | None,
    *,
    skipped: bool,
) -> Route | Open:
    def of(place: int, reason: str) -> Route:
        within = request.local_only
        told = "; ".join([reason, "its data stays in the house"] if within else [reason])
        names = tuple(tier.name for tier in tiers[place:])
        return Route(groups=names, reason=told, local=within or tiers[place].local)

    last = len(tiers) - 1
    if request.refused:
        return of(last, "its answers were refused before")
    if request.risk in rules.best_for:
        return of(last, f"risk is {request.risk.value}")
    local = next((place for place, tier in enumerate(tiers) if tier.local), None)
    other = next((place for place, tier in enumerate(tiers) if not tier.local), None)
    if request.local_only or local is None or other is None:
        return of(0, f"the first that reads {tokens} tokens" if skipped else "the first tier")
    if budget_left is not None and budget_left < THRIFTY_BELOW:
        return of(min(local, other), f"{budget_left:.0%} of the budget is left")
    names = tuple(tier.name for tier in tiers)
    return Open(local=names[local:], other=names[other:], suits=suitability(request))


def settled(open_: Open, course: Course) -> Route:
    """Return who writes a row that could go either way."""
    stays = course.stays(open_.suits)
    so_far = f"{course.local / course.total:.0%} so far" if course.total else "none so far"
    groups = open_.local if stays else open_.other
    reason = f"suits a local model by {open_.suits:.2f}; local share {so_far}, target {course.target:.0%}"
    return Route(groups=groups, reason=reason, local=stays, suits=open_.suits)


def _reads(tier: ModelGroup, tokens: int) -> bool:
    return any(one.context_tokens is None or tokens <= one.context_tokens for one in tier.deployments)
