"""Activities that read what a row proposes, and add what was approved to the plan of its run."""

import asyncio

from temporalio import activity

from activities.artifacts.contracts import Digest, Texts
from activities.planning.contracts import (
    Grown,
    GrowRequest,
    Installed,
    ProposalRequest,
    Proposed,
    ProposedRow,
    Wanted,
)
from activities.plans.contracts import PlanReader
from activities.policy.contracts import ModelLocality
from activities.policy.engine import PolicyEngine
from activities.policy.planning_contracts import PlanningDecision
from catalogs.faults import InvalidCatalog
from catalogs.growth import Growth, RunRows
from catalogs.plan import MAX_ADDED, Addition, Plan, Proposal
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals, Tally
from temporal.names import ActivityName


class PlanningActivities:
    """Lets rows plan rows.

    Args:
        plans: Where plans are read from.
        texts: Where what is proposed is read from, and plans are kept.
        engine: Evaluates the policy.
        models: Knows which models are local.
        installed: Which agents, tools and collections planned rows may name.
    """

    def __init__(
        self, plans: PlanReader, texts: Texts, engine: PolicyEngine, models: ModelLocality, installed: Installed
    ) -> None:
        self._plans = plans
        self._texts = texts
        self._engine = engine
        self._models = models
        self._installed = installed

    @activity.defn(name=ActivityName.READ_PROPOSAL)
    async def read(self, request: ProposalRequest) -> Proposed:
        """Return what proposed rows amount to: faults like those of a catalog, and what the policy says of them."""
        # Not at the top: workflows import this module, and need no reader of catalogs.
        from catalogs.proposal import read_proposal  # noqa: PLC0415

        plan = await self._plans.plan(request.plan)
        run = await self._rows(request.plan, plan, request.index)
        options = (await self._installed()).model_copy(update={"literal": request.row.literal})
        document = await self._texts.read(request.output)
        try:
            proposal = await asyncio.to_thread(read_proposal, document, request.row, run, options)
        except InvalidCatalog as invalid:
            left = invalid.found - len(invalid.faults)
            more = (f"and {left} more",) if left else ()
            faults = tuple(fault.message for fault in invalid.faults) + more
            return Proposed(output=request.output.digest, faults=faults)
        return Proposed(
            output=request.output.digest,
            proposal=await self._texts.store.put(proposal.model_dump_json().encode()),
            rows=tuple(ProposedRow(id=row.id, title=row.title, depends_on=row.depends_on) for row in proposal.rows),
            decision=await self._decided(request, proposal, run.depth),
        )

    @activity.defn(name=ActivityName.GROW_PLAN)
    async def grow(self, request: GrowRequest) -> Grown:
        """Add rows to a plan; adding them again changes nothing."""
        plan = await self._plans.plan(request.plan)
        before = Grown(plan=request.plan, total=plan.total)
        if earlier := next((one for one in plan.additions if one.index == request.index), None):
            if earlier.proposal == request.proposal:
                return before
            told = f"row {request.row!r} has added {earlier.total} rows before, and they were others"
            return before.model_copy(update={"refused": told})
        proposal = Proposal.model_validate_json(await self._texts.store.get(request.proposal))
        run = await self._rows(request.plan, plan, request.index)
        taken = [row.id for row in proposal.rows if row.id in run.ids]
        if taken:
            told = f"the run has got rows {', '.join(taken)} meanwhile, planned by another row"
            return before.model_copy(update={"refused": told})
        if run.added + len(proposal.rows) > MAX_ADDED:
            told = f"{run.added} rows of the run were planned meanwhile; {MAX_ADDED} is the most"
            return before.model_copy(update={"refused": told})
        growth = Growth(plan, proposal, run)
        names = {place: name for name, place in run.ids.items()}
        return Grown(
            plan=await self._written(request, growth),
            total=growth.added.stop,
            first=growth.first,
            rows=tuple(row.id for row in proposal.rows),
            wanted=tuple(Wanted(index=place, row=names[place], by=by) for place, by in growth.wanted().items()),
        )

    async def _rows(self, digest: Digest, plan: Plan, planner: int) -> RunRows:
        """Read which rows a plan has and what they depend on; each page beats, as a plan may have many."""
        ids: dict[str, int] = {}
        upstream: dict[int, tuple[int, ...]] = {}
        for number in range(len(plan.pages)):
            for planned in (await self._plans.page(digest, number)).rows:
                ids[planned.row.id] = planned.index
                if planned.upstream:
                    upstream[planned.index] = planned.upstream
            activity.heartbeat(number)
        added = sum(one.total for one in plan.additions)
        return RunRows(ids, planner, upstream, plan.depth(planner), added)

    async def _written(self, request: GrowRequest, growth: Growth) -> Digest:
        plan, store = growth.plan, self._texts.store
        pages = list(plan.pages)
        for number in growth.pages():
            page = growth.rewritten(number, await self._plans.page(request.plan, number))
            pages[number] = await store.put(page.model_dump_json().encode())
            activity.heartbeat(number)
        pages += [await store.put(page.model_dump_json().encode()) for page in growth.new_pages()]
        addition = Addition(
            by=request.row,
            index=request.index,
            output=request.output,
            proposal=request.proposal,
            first=growth.first,
            total=len(growth.added),
        )
        grown = plan.model_copy(
            update={"total": growth.added.stop, "pages": tuple(pages), "additions": (*plan.additions, addition)}
        )
        return await store.put(grown.document)

    async def _decided(self, request: ProposalRequest, proposal: Proposal, depth: int) -> PlanningDecision:
        """Have the policy decide on the rows as a plan, as a catalog, and one by one."""
        who, pinned = request.submitter, request.policy
        decision = await self._engine.add_rows(request.row, proposal, who, depth, pinned)
        whole = await self._engine.admit_catalog(_totals(proposal.rows), who, pinned)
        deny = [*decision.deny, *whole.deny]
        for row in proposal.rows:
            local = self._models.serves_locally(row.model)
            one = await self._engine.admit(row, who, pinned, served_locally=local)
            deny += [f"row {row.id}: {reason}" for reason in one.deny]
            activity.heartbeat(row.id)
        allow = decision.allow and whole.allow and not deny
        return decision.model_copy(update={"allow": allow, "deny": tuple(deny)})


def _totals(rows: tuple[CatalogRow, ...]) -> CatalogTotals:
    tally = Tally()
    for row in rows:
        tally.add(row)
    return tally.over(range(len(rows)))
