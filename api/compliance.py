"""The compliance report of a run: which row was allowed, denied or reviewed, why, by which policy and by whom."""

import asyncio
import csv
import io
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from activities.audit.reading import head
from activities.records.database import timestamp
from activities.records.views import RowView, RunView, StepView
from api.console.render import streamed
from api.results import KINDS, escaped
from api.services import Services

Form = Literal["html", "csv"]
MEDIA_TYPES: Final[dict[Form, str]] = {"html": "text/html; charset=utf-8", "csv": KINDS["csv"]}
# What of a row's steps is a decision.
DECISIONS: Final = ("policy", "code", "release", "proposal", "review")
_WHAT: Final = {
    "policy": "admission",
    "code": "program",
    "release": "release",
    "proposal": "planned rows",
    "review": "review",
}


@dataclass(frozen=True)
class Decided:
    """One decision on a row.

    Args:
        what: Admission, program, release, planned rows or review.
        decision: Allowed, denied, or how a review ended.
        reasons: Why, as rules and people say it.
        by: Who decided; ``policy`` for a policy.
        policy: Digest of the policy that decided.
    """

    row: str
    board: str
    risk: str
    state: str
    attempt: int
    what: str
    decision: str
    reasons: str
    by: str
    policy: str
    at: str


async def report(services: Services, view: RunView, form: Form) -> AsyncIterator[str]:
    """Return the report of a run, a batch of rows at a time.

    Args:
        services: Where records and audit log are.
        view: The run.
        form: A page for people, or a table for programs.
    """
    decided = _decided(services, view.run)
    if form == "csv":
        return _csv(decided)
    last = await asyncio.to_thread(head, services.stores.engine)
    counts: Counter[str] = Counter()
    told = {"run": view, "counts": counts, "head": last, "made_at": timestamp()}
    return streamed("compliance.html", decided=_counted(decided, counts), **told)


async def _decided(services: Services, run: str) -> AsyncIterator[Decided]:
    async for row, steps in services.queries.decisions(run, DECISIONS):
        for one in (found for step in steps if (found := _decision(row, step))):
            yield one


async def _counted(decided: AsyncIterator[Decided], counts: Counter[str]) -> AsyncIterator[Decided]:
    async for one in decided:
        counts[f"{one.what} {one.decision}"] += 1
        yield one


def _decision(row: RowView, step: StepView) -> Decided | None:
    told = step.detail
    common: dict[str, Any] = {
        "row": row.row,
        "board": row.board,
        "risk": row.risk,
        "state": row.state.value,
        "attempt": step.attempt,
        "what": _WHAT[step.step],
        "at": step.finished_at,
        "policy": str(told.get("policy") or ""),
    }
    if step.step == "review":
        if not {"state", "by"} <= told.keys():
            return None  # the invitation to it
        reasons = "; ".join(filter(None, (*map(str, told.get("reasons", ())), str(told.get("comment") or ""))))
        return Decided(**common, decision=str(told["state"]), reasons=reasons, by=str(told["by"] or "nobody"))
    if step.step == "code":
        if not told.get("policy"):
            return None  # it ran before programs were decided on, or was never started
        return Decided(**common, decision="allowed", reasons=str(told.get("reason") or ""), by="policy")
    if "allow" not in told:
        return None
    return Decided(
        **common,
        decision="allowed" if told["allow"] else "denied",
        reasons="; ".join((*told.get("deny", ()), *(f"review: {one}" for one in told.get("review", ())))),
        by="policy",
    )


async def _csv(decided: AsyncIterator[Decided]) -> AsyncIterator[str]:
    names = [field.name for field in fields(Decided)]
    yield _line(names)
    async for one in decided:
        yield _line(escaped(str(value)) for value in asdict(one).values())


def _line(cells: Iterator[str] | list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
