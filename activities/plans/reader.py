"""Plans read from the artifact store, the pages in use kept parsed."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from activities.artifacts.contracts import ArtifactStore, Digest
from activities.plans.contracts import PlanPageNotFound
from catalogs.plan import Plan, PlannedRow, PlanPage

Value = TypeVar("Value")
_CACHED_PLANS = 64


class ArtifactPlanReader:
    """Reads plans from an artifact store.

    Args:
        store: Where plans and their pages are.
        cached_pages: How many parsed pages are kept, the most recently used.
    """

    def __init__(self, store: ArtifactStore, cached_pages: int = 16) -> None:
        self._store = store
        self._plans: _Latest[Plan] = _Latest(_CACHED_PLANS)
        self._pages: _Latest[PlanPage] = _Latest(cached_pages)

    async def plan(self, digest: Digest) -> Plan:
        """Return a plan."""

        async def load() -> Plan:
            return Plan.model_validate_json(await self._store.get(digest))

        return await self._plans.get(digest, load)

    async def page(self, digest: Digest, n: int) -> PlanPage:
        """Return one page of a plan."""
        plan = await self.plan(digest)
        if not 0 <= n < len(plan.pages):
            raise PlanPageNotFound(f"plan {digest} has {len(plan.pages)} pages, no page {n}", plan=digest, page=n)
        page_digest = plan.pages[n]

        async def load() -> PlanPage:
            return PlanPage.model_validate_json(await self._store.get(page_digest))

        return await self._pages.get(page_digest, load)

    async def row(self, digest: Digest, index: int) -> PlannedRow:
        """Return one row of a plan."""
        plan = await self.plan(digest)
        if not 0 <= index < plan.total:
            raise PlanPageNotFound(f"plan {digest} has {plan.total} rows, no row {index}", plan=digest, row=index)
        number, place = divmod(index, plan.page_rows)
        return (await self.page(digest, number)).rows[place]


class _Latest(Generic[Value]):
    """Keeps the most recently used values; those who ask at the same time wait for one loading."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, load: Callable[[], Awaitable[Value]]) -> Value:
        if (value := self._known(key)) is not None:
            return value
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                if (value := self._known(key)) is None:
                    value = self._keep(key, await load())
                return value
        finally:
            self._locks.pop(key, None)

    def _known(self, key: str) -> Value | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def _keep(self, key: str, value: Value) -> Value:
        self._values[key] = value
        while len(self._values) > self._size:
            self._values.popitem(last=False)
        return value
