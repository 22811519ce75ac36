"""Which deployments can be asked now: a circuit breaker and limits for each.

litellm.Router's own cooldown spares a deployment that has no sibling, does not count refused connections, and lets
everybody in at once when it ends. So the circuit is here.
"""

import time
from collections.abc import Callable
from typing import Final

from aiolimiter import AsyncLimiter

from activities.llm.groups import Deployment

# Faults in a row that open a circuit.
FAULTS: Final = 3
FIRST_PAUSE_SECONDS: Final = 15.0
LAST_PAUSE_SECONDS: Final = 300.0
# A probe that has not ended by then is taken for lost.
PROBE_SECONDS: Final = 300.0
# How much a new latency counts against those before.
_NEW: Final = 0.2
_MINUTE: Final = 60.0


class Health:
    """How one deployment does. Its circuit is closed, open until a moment, or half open: one call probes it.

    Args:
        deployment: The deployment.
        clock: What time it is, in seconds.
    """

    def __init__(self, deployment: Deployment, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults = 0
        self._pauses = 0
        self._open_until = 0.0
        self._probed_at: float | None = None
        self._spent_until = 0.0
        self._concurrency = deployment.concurrency
        self._requests = AsyncLimiter(deployment.rpm, _MINUTE) if deployment.rpm else None
        self._tokens = AsyncLimiter(deployment.tpm, _MINUTE) if deployment.tpm else None
        self.under_way = 0
        self.latency_ms: float | None = None

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if not self._open_until:
            return "closed"
        return "open" if self._clock() < self._open_until else "half-open"

    @property
    def open_until(self) -> float:
        """Until when nothing is asked of it; 0 while its circuit is closed."""
        return self._open_until

    @property
    def spent(self) -> bool:
        """Whether it is left alone because its budget is spent."""
        return self._clock() < self._spent_until

    @property
    def pause_seconds(self) -> float:
        """How long nothing is to be asked of it; 0 when something may be."""
        if self.state == "half-open" and self._probed_at is not None:
            return max(self._probed_at + PROBE_SECONDS - self._clock(), 0.0)
        return max(self._open_until - self._clock(), 0.0)

    def has_room(self, tokens: int) -> bool:
        """Tell whether its limits allow another call of so many tokens now."""
        free = self._concurrency is None or self.under_way < self._concurrency
        fits = free and (self._requests is None or self._requests.has_capacity())
        return fits and (self._tokens is None or self._tokens.has_capacity(min(tokens, self._tokens.max_rate)))

    async def begin(self, tokens: int) -> None:
        """Count a call that begins. There has to be room: nothing is waited for."""
        if self.state == "half-open":
            self._probed_at = self._clock()
        self.under_way += 1
        if self._requests:
            await self._requests.acquire()
        if self._tokens:
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))

    def succeeded(self, milliseconds: float) -> None:
        """Count a call that was answered."""
        self._ended()
        self._faults = self._pauses = 0
        self._close()
        known = self.latency_ms
        self.latency_ms = milliseconds if known is None else known + _NEW * (milliseconds - known)

    def failed(self, retry_after: float | None = None, *, at_once: bool = False, alone: bool = False) -> str:
        """Count a call that failed; too many in a row, or a wish to be left alone, open the circuit.

        Args:
            retry_after: How long the provider asked to be left alone, in seconds.
            at_once: Whether one such fault is enough, as with a key that is not taken.
            alone: Whether nobody else could answer; then only the provider's own wish counts, and the workflow pauses.

        Returns:
            Why the circuit is open now; empty where it is not for this fault.
        """
        probed = self._probed_at is not None
        self._ended()
        self._faults += 1
        if retry_after is not None:
            self._open_until = max(self._open_until, self._clock() + retry_after)
            return "the provider asked for it"
        if alone or not (probed or at_once or self._faults >= FAULTS):
            return ""
        pause = min(FIRST_PAUSE_SECONDS * 2**self._pauses, LAST_PAUSE_SECONDS)
        self._pauses += 1
        self._open_until = self._clock() + pause
        if at_once:
            return "its key or name is not taken"
        return "the probe failed" if probed else f"{self._faults} faults in a row"

    def refused(self) -> None:
        """Count a call that the provider answered, if only to refuse what was asked: it is well."""
        self._ended()
        self._faults = 0
        self._close()

    def left_alone(self, seconds: float) -> None:
        """Open the circuit until its budget is renewed; then one call probes it, as after faults."""
        self._spent_until = self._open_until = self._clock() + seconds

    def given_up(self) -> None:
        """Count a call that was cancelled: it says nothing of the deployment."""
        self._ended()

    def _close(self) -> None:
        # A call that was under way when the budget ran out renews none.
        self._open_until = self._spent_until if self.spent else 0.0

    def _ended(self) -> None:
        self.under_way -= 1
        self._probed_at = None
