"""Which deployment answers a call: groups, strategies, failover, and a count of requests that nothing resets."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from activities.budgets.contracts import Allowances, Taken
from activities.llm.contracts import (
    AttemptsExhausted,
    ModelAnswer,
    ModelMisconfigured,
    ModelRefused,
    ModelRequest,
    ModelUnavailable,
    PromptTooLong,
)
from activities.llm.groups import Deployment, ModelGroups, Strategy
from activities.llm.health import Health
from activities.llm.incidents import Change, CircuitChange, Incidents, failed_request
from activities.llm.partial import Heard
from activities.llm.way import Way, tokens_of
from temporal.errors import PrismError

log = logging.getLogger("prism.gateway")

# How long a call waits here for a limit or an open circuit, before the workflow's own, longer pauses.
WAIT_SECONDS: Final = 25.0
_LOOK_SECONDS: Final = 0.05
# Calls that fail together open a circuit once, not each by some milliseconds more.
_SAME_SECONDS: Final = 1.0


class Provider(Protocol):
    """Sends one request to one deployment."""

    async def complete(self, deployment: Deployment, request: ModelRequest, heard: Heard | None) -> ModelAnswer:
        """Return the deployment's answer."""
        ...

    async def most_usd(self, deployment: Deployment, request: ModelRequest) -> float:
        """Return the most that the call can cost."""
        ...


class Router:
    """Sends a call to the deployments of its group until one answers.

    One request counts as one attempt wherever it goes; the count is kept with the call, so neither a fallback nor
    a retry by Temporal begins it anew.

    Args:
        groups: Which names there are and who answers them.
        provider: Sends the requests.
        incidents: Keeps those that failed, and what becomes of circuits.
        allowances: Counts what deployments cost that have a budget of their own.
        clock: What time it is, in seconds.
        chance: What weighted groups draw from.
    """

    def __init__(
        self,
        groups: ModelGroups,
        provider: Provider,
        incidents: Incidents,
        allowances: Allowances,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._groups = groups
        self._provider = provider
        self._incidents = incidents
        self._allowances = allowances
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 -- spreads load, guards nothing
        self._health: dict[str, Health] = {}

    @property
    def groups(self) -> ModelGroups:
        """Which names there are and who answers them."""
        return self._groups

    async def use(self, groups: ModelGroups) -> None:
        """Go by other groups from the next call on, such as with a key that was replaced.

        What changed is asked anew, however it did before: the old key may have been why.
        """
        known = {one.group: one for one in self._groups.deployments}
        self._groups = groups
        for one in groups.deployments:
            if known.get(one.group) != one:
                before = self._health.pop(one.group, None)
                if before is not None:
                    await self._tell(one, before.open_until, "it is set up anew")

    def health(self, deployment: Deployment) -> Health:
        """Return how a deployment does."""
        known = self._health.get(deployment.group)
        if known is None:
            known = self._health[deployment.group] = Health(deployment, self._clock)
        return known

    def answering(self, request: ModelRequest) -> list[Deployment]:
        """Return the deployments that are meant to answer a call: not those that stand in while these cannot.

        Raises:
            UnknownModel: The group is not configured.
        """
        first = self._groups.find(request.group)
        meant = [first, *(self._groups.find(one) for one in first.longer)]
        found = [one for group in meant for one in group.deployments]
        return [one for one in found if one.local or not request.local_only]

    async def most_usd(self, request: ModelRequest) -> float:
        """Return the most that one request of a call can cost, whoever answers it.

        Raises:
            UnknownModel: The group is not configured.
            NoLocalModel: See ``complete``.
        """
        return max([await self._provider.most_usd(one, request) for one in Way(self._groups, request).most()])

    async def complete(self, request: ModelRequest, used: int = 0, heard: Heard | None = None) -> ModelAnswer:
        """Return the first answer.

        Args:
            request: What to ask.
            used: Requests that were sent for this call before.
            heard: Takes the pieces of the answer as they arrive, where the model gives it piece by piece.

        Raises:
            UnknownModel: The group is not configured.
            NoLocalModel: The call may not leave the house, and nobody within may answer it.
            ModelRefused: Providers will answer this request the same way each time.
            ModelUnavailable: No deployment could answer now.
            AttemptsExhausted: As many requests were sent as the row allows.
        """
        way = Way(self._groups, request)
        until = self._clock() + WAIT_SECONDS
        fault: ModelUnavailable | ModelRefused | None = None
        while used < request.attempts:
            found = await self._next(way, until)
            if found is None:
                raise fault or self._nobody(way)
            deployment, taken = found
            try:
                answer = await self._asked(deployment, request, heard, taken, used + 1, alone=way.alone)
            except PromptTooLong as error:
                fault = error
                if not way.go_longer():
                    raise
            except (ModelMisconfigured, ModelUnavailable) as error:
                fault = error
            else:
                return answer.model_copy(update={"attempt": used + 1})
            used += 1
        told = f", the last with: {fault.message}" if fault else ""
        raise AttemptsExhausted(f"{used} requests to providers failed, the row allows no more{told}", attempts=used)

    async def _asked(
        self,
        deployment: Deployment,
        request: ModelRequest,
        heard: Heard | None,
        taken: Taken | None,
        number: int,
        *,
        alone: bool,
    ) -> ModelAnswer:
        """Send one request, and learn from how it goes."""
        health = self.health(deployment)
        began, probes = self._clock(), health.state == "half-open"
        await health.begin(tokens_of(request))
        try:
            if probes:
                await self._note(deployment, Change.PROBED)
            answer = await self._provider.complete(deployment, request, heard)
        except (ModelUnavailable, ModelRefused) as error:
            before = health.open_until
            why = _learn(health, error, alone=alone)
            failed = failed_request(request.step, number, deployment, error, self._since(began))
            await self._incidents.failed(failed)
            await self._tell(deployment, before, why)
            await self._settle(taken, 0.0)
            raise
        except BaseException:
            health.given_up()
            raise
        before = health.open_until
        health.succeeded(self._since(began))
        await self._tell(deployment, before, "it answered")
        await self._settle(taken, answer.cost_usd)
        return answer

    async def _tell(self, deployment: Deployment, before: float, why: str) -> None:
        """Keep what became of a circuit since it was open until a moment, if anything did."""
        now, after = self._clock(), self.health(deployment).open_until
        if after > max(before + _SAME_SECONDS, now):
            await self._note(deployment, Change.OPENED, seconds=after - now, reason=why)
        elif before and not after:
            await self._note(deployment, Change.CLOSED, reason=why or "it answered, if only to refuse")

    async def _note(self, deployment: Deployment, change: Change, **told: Any) -> None:  # noqa: ANN401 -- its fields
        """Keep what became of a circuit; what cannot be kept now is only not shown."""
        try:
            await self._incidents.changed(
                CircuitChange(deployment=deployment.group, model=deployment.name, change=change, **told)
            )
        except PrismError as error:
            log.warning("the circuit of %s %s, which could not be kept: %s", deployment.group, change, error.message)

    async def _next(self, way: Way, until: float) -> tuple[Deployment, Taken | None] | None:
        """Return the deployment that is asked next, as soon as it may be; ``None`` when there is none before long."""
        while left := way.left():
            able = ((group, [one for one in each if self._ready(one, way.tokens)]) for group, each in left)
            if first := next(((group, ready) for group, ready in able if ready), None):
                group, ready = first
                chosen = await self._preferred(group.strategy, ready, way.request)
                way.tried.add(chosen.group)
                taken = await self._taken(chosen, way.request)
                if taken is None or taken.granted:
                    return chosen, taken
                way.waits[chosen.group] = taken.wait_seconds
                continue
            earliest = self._clock() + min(self.health(one).pause_seconds for _, each in left for one in each)
            if max(earliest, self._clock() + _LOOK_SECONDS) > until:
                return None
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    def _ready(self, deployment: Deployment, tokens: int) -> bool:
        health = self.health(deployment)
        return health.pause_seconds == 0 and health.has_room(tokens)

    async def _preferred(self, strategy: Strategy, ready: Sequence[Deployment], request: ModelRequest) -> Deployment:
        match strategy:
            case Strategy.WEIGHTED:
                return self._chance.choices(ready, [one.weight for one in ready])[0]
            case Strategy.LEAST_BUSY:
                return min(ready, key=lambda one: self.health(one).under_way / one.weight)
            case Strategy.LATENCY:
                # Who was never asked is asked once: nobody knows how fast they are.
                return min(ready, key=lambda one: self.health(one).latency_ms or 0.0)
            case Strategy.COST:
                prices = [await self._provider.most_usd(one, request) for one in ready]
                return ready[prices.index(min(prices))]
            case Strategy.ORDER:
                return ready[0]

    async def _taken(self, deployment: Deployment, request: ModelRequest) -> Taken | None:
        """Set a price aside where the deployment has a budget of its own; one that has spent it is taken out."""
        limit = deployment.budget_usd_per_day
        if limit is None:
            return None
        most = await self._provider.most_usd(deployment, request)
        taken = await self._allowances.take(deployment.group, limit, most)
        if taken.spent:
            before = self.health(deployment).open_until
            self.health(deployment).left_alone(taken.renews_in_seconds)
            await self._tell(deployment, before, "its budget of the day is spent")
        return taken

    async def _settle(self, taken: Taken | None, usd: float) -> None:
        """Count a price; what cannot be counted now stays set aside, and the answer is not held back for it."""
        if taken is None:
            return
        try:
            await self._allowances.settle(taken, usd)
        except PrismError:
            log.exception("what a call of %s cost could not be counted; the most it could be stays", taken.deployment)

    def _nobody(self, way: Way) -> ModelUnavailable:
        pauses = [max(self.health(one).pause_seconds, way.waits.get(one.group, 0.0)) for one in way.deployments]
        names = ", ".join(one.name for one in way.deployments)
        model = way.deployments[0].name
        short = [one.name for one in way.deployments if one.group in way.waits or self.health(one).spent]
        told = f"; too little is left of the day's budget of {', '.join(short)}" if short else ""
        return ModelUnavailable(f"{names} cannot be asked now{told}", model=model, retry_after=max(min(pauses), 1.0))

    def _since(self, began: float) -> int:
        return round((self._clock() - began) * 1000)


def _learn(health: Health, error: ModelUnavailable | ModelRefused, *, alone: bool) -> str:
    """Count a fault; return why its circuit is open now, if it is for that."""
    if isinstance(error, ModelUnavailable):
        return health.failed(error.details.get("retry_after"), alone=alone)
    if isinstance(error, ModelMisconfigured):
        return health.failed(at_once=True, alone=alone)
    health.refused()
    return ""
