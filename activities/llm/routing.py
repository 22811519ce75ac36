"""Which deployment answers a call: groups, strategies, failover, and a count of requests that nothing resets."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from activities.llm.contracts import (
    AttemptsExhausted,
    ModelAnswer,
    ModelMisconfigured,
    ModelRefused,
    ModelRequest,
    ModelUnavailable,
    PromptTooLong,
)
from activities.llm.groups import Deployment, ModelGroup, ModelGroups, Strategy
from activities.llm.health import Health
from activities.llm.partial import Heard
from activities.llm.prices import CHARACTERS_PER_TOKEN

# How long a call waits here for a limit or an open circuit, before the workflow's own, longer pauses.
WAIT_SECONDS: Final = 25.0
_LOOK_SECONDS: Final = 0.05


class Provider(Protocol):
    """Sends one request to one deployment."""

    async def complete(self, deployment: Deployment, request: ModelRequest, heard: Heard | None) -> ModelAnswer:
        """Return the deployment's answer."""
        ...

    async def most_usd(self, deployment: Deployment, request: ModelRequest) -> float:
        """Return the most that the call can cost."""
        ...


class Failures(Protocol):
    """Keeps the requests of a call that failed, so that its next attempt knows how many there were."""

    async def failed(
        self, key: str, deployment: str, fault: ModelUnavailable | ModelRefused, milliseconds: int
    ) -> None:
        """Keep a failed request."""
        ...


class Router:
    """Sends a call to the deployments of its group until one answers.

    One request counts as one attempt wherever it goes; the count is kept with the call, so neither a fallback nor
    a retry by Temporal begins it anew.

    Args:
        groups: Which names there are and who answers them.
        provider: Sends the requests.
        failures: Keeps those that failed.
        clock: What time it is, in seconds.
        chance: What weighted groups draw from.
    """

    def __init__(
        self,
        groups: ModelGroups,
        provider: Provider,
        failures: Failures,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._groups = groups
        self._provider = provider
        self._failures = failures
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 -- spreads load, guards nothing
        self._health: dict[str, Health] = {}

    @property
    def groups(self) -> ModelGroups:
        """Which names there are and who answers them."""
        return self._groups

    def use(self, groups: ModelGroups) -> None:
        """Go by other groups from the next call on, such as with a key that was replaced.

        What changed is asked anew, however it did before: the old key may have been why.
        """
        known = {one.group: one for one in self._groups.deployments}
        for one in groups.deployments:
            if known.get(one.group) != one:
                self._health.pop(one.group, None)
        self._groups = groups

    def health(self, deployment: Deployment) -> Health:
        """Return how a deployment does."""
        known = self._health.get(deployment.group)
        if known is None:
            known = self._health[deployment.group] = Health(deployment, self._clock)
        return known

    async def most_usd(self, request: ModelRequest) -> float:
        """Return the most that one request of a call can cost, whoever answers it.

        Raises:
            UnknownModel: The group is not configured.
        """
        first = self._groups.find(request.group)
        longer = self._groups.chain(request.group, longer=True) if first.longer else []
        found = {one.group: one for group in [*self._groups.chain(request.group), *longer] for one in group.deployments}
        return max([await self._provider.most_usd(one, request) for one in found.values()])

    async def complete(self, request: ModelRequest, used: int = 0, heard: Heard | None = None) -> ModelAnswer:
        """Return the first answer.

        Args:
            request: What to ask.
            used: Requests that were sent for this call before.
            heard: Takes the pieces of the answer as they arrive, where the model gives it piece by piece.

        Raises:
            UnknownModel: The group is not configured.
            ModelRefused: Providers will answer this request the same way each time.
            ModelUnavailable: No deployment could answer now.
            AttemptsExhausted: As many requests were sent as the row allows.
        """
        way = _Way(self._groups, request)
        until = self._clock() + WAIT_SECONDS
        fault: ModelUnavailable | ModelRefused | None = None
        while used < request.attempts:
            deployment = await self._next(way, until)
            if deployment is None:
                raise fault or self._nobody(way)
            try:
                answer = await self._asked(deployment, request, heard, alone=way.alone)
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
        self, deployment: Deployment, request: ModelRequest, heard: Heard | None, *, alone: bool
    ) -> ModelAnswer:
        """Send one request, and learn from how it goes."""
        health = self.health(deployment)
        began = self._clock()
        await health.begin(_tokens(request))
        try:
            answer = await self._provider.complete(deployment, request, heard)
        except (ModelUnavailable, ModelRefused) as error:
            _learn(health, error, alone=alone)
            await self._failures.failed(request.step.key, deployment.name, error, self._since(began))
            raise
        except BaseException:
            health.given_up()
            raise
        health.succeeded(self._since(began))
        return answer

    async def _next(self, way: "_Way", until: float) -> Deployment | None:
        """Return the deployment that is asked next, as soon as it may be; ``None`` when there is none before long."""
        while left := way.left():
            for group, deployments in left:
                ready = [one for one in deployments if self._ready(one, way.tokens)]
                if ready:
                    chosen = await self._preferred(group.strategy, ready, way.request)
                    way.tried.add(chosen.group)
                    return chosen
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

    def _nobody(self, way: "_Way") -> ModelUnavailable:
        pauses = [self.health(one).pause_seconds for one in way.deployments]
        names = ", ".join(one.name for one in way.deployments)
        model = way.deployments[0].name
        return ModelUnavailable(f"{names} cannot be asked now", model=model, retry_after=max(min(pauses), 1.0))

    def _since(self, began: float) -> int:
        return round((self._clock() - began) * 1000)


def _learn(health: Health, error: ModelUnavailable | ModelRefused, *, alone: bool) -> None:
    if isinstance(error, ModelUnavailable):
        health.failed(error.details.get("retry_after"), alone=alone)
    elif isinstance(error, ModelMisconfigured):
        health.failed(at_once=True, alone=alone)
    else:
        health.refused()


class _Way:
    """The groups that a call may go to, and the deployments it went to already; each is asked once."""

    def __init__(self, groups: ModelGroups, request: ModelRequest) -> None:
        self._groups = groups
        self._longer = False
        self.request = request
        self.tokens = _tokens(request)
        self.tried: set[str] = set()
        self._has_longer = bool(groups.find(request.group).longer)
        self.chain = groups.chain(request.group)
        if not any(self._reading(group) for group in self.chain):
            self.go_longer()

    @property
    def deployments(self) -> list[Deployment]:
        """All that may be asked."""
        return [one for group in self.chain for one in group.deployments]

    @property
    def alone(self) -> bool:
        """Whether there is one only: then nobody else could answer while it is left alone."""
        return len({one.group for one in self.deployments}) == 1

    def left(self) -> list[tuple[ModelGroup, list[Deployment]]]:
        """Return who was not asked yet, by group."""
        found = [(group, [one for one in self._reading(group) if one.group not in self.tried]) for group in self.chain]
        return [(group, deployments) for group, deployments in found if deployments]

    def go_longer(self) -> bool:
        """Go on with those that read more; ``False`` where there are none."""
        if self._longer or not self._has_longer:
            return False
        self._longer = True
        self.chain = self._groups.chain(self.request.group, longer=True)
        return True

    def _reading(self, group: ModelGroup) -> list[Deployment]:
        # Without a longer one to go to, the provider itself says whether a prompt is too long.
        may_skip = self._has_longer and not self._longer
        read = [one for one in group.deployments if one.context_tokens is None or self.tokens <= one.context_tokens]
        return read if may_skip else list(group.deployments)


def _tokens(request: ModelRequest) -> int:
    """Return about as many tokens as a call takes, rather too many."""
    return request.size // CHARACTERS_PER_TOKEN + request.max_tokens
