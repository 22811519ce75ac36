"""What the records of runs, rows and reviews say for the audit log: who submitted, what policy and people decided."""

import hashlib
from collections.abc import Iterator
from typing import Any

from activities.audit.canonical import canonical, facts
from activities.audit.contracts import NOBODY, POLICY, SCANNERS, AuditEvent, AuditKind
from activities.records.contracts import RowRecord, RunGrowth, RunOpening, Steering, StepRecord, StepState
from activities.reviews.contracts import ReviewRecord

# By step: the kind, and the facts without which it is no decision. Asking people for a review is a step "review" too.
_DECISIONS = {
    "policy": (AuditKind.POLICY_DECIDED, {"allow"}),
    "release": (AuditKind.POLICY_DECIDED, {"allow"}),
    "proposal": (AuditKind.POLICY_DECIDED, {"allow"}),
    "scan": (AuditKind.SCAN_FOUND, {"findings"}),
    "code-scan": (AuditKind.SCAN_FOUND, {"findings"}),
    "review": (AuditKind.REVIEW_DECIDED, {"state", "by"}),
}
_STEERING = {
    "pause": AuditKind.RUN_PAUSED,
    "resume": AuditKind.RUN_RESUMED,
    "retry": AuditKind.RUN_RETRIED,
    "skip": AuditKind.RUN_SKIPPED,
    "set_concurrency": AuditKind.RUN_CONCURRENCY,
}
# Of many rows the first are named; their count tells of the rest.
_ROWS_NAMED = 100
_TOLD = ("scanner", "rule", "severity", "line", "place")
_FINDINGS_TOLD = 100


def run_event(opening: RunOpening) -> AuditEvent:
    """Return the submission of a run; both the front door and the workflow open it, and it is one."""
    return AuditEvent(
        kind=AuditKind.RUN_SUBMITTED,
        actor=opening.submitter or NOBODY,
        subject=f"run/{opening.run}",
        detail={"title": opening.title, "plan": opening.plan},
        key=f"{opening.run}/submitted",
    )


def growth_event(growth: RunGrowth) -> AuditEvent:
    """Return the event of rows that were added to a run; who approved them is told with the row that planned them."""
    return AuditEvent(
        kind=AuditKind.RUN_GROWN,
        actor=NOBODY,
        subject=f"run/{growth.run}",
        detail={"by": growth.by, "rows": list(growth.rows), "plan": growth.plan},
        key=f"{growth.run}/{growth.by}/grown",
    )


def steering_event(steering: Steering) -> AuditEvent:
    """Return the event of a run that somebody steers; API and workflow both tell it, and it is one."""
    detail = dict(steering.detail)
    if rows := detail.get("rows"):
        detail |= {"rows": rows[:_ROWS_NAMED], "count": len(rows)}
    return AuditEvent(
        kind=_STEERING[steering.signal],
        actor=steering.by or NOBODY,
        subject=f"run/{steering.run}",
        detail=detail,
        key=f"{steering.run}/steered/{steering.act}",
    )


def row_events(record: RowRecord) -> Iterator[AuditEvent]:
    """Yield what was decided on a row, and what scanners found in it; a scan that finds nothing decides nothing.

    A row is recorded more than once: the same decision has the same key each time.
    """
    for step in record.steps:
        kind, needed = _DECISIONS.get(step.step, (None, set()))
        found = kind is not AuditKind.SCAN_FOUND or step.detail.get("findings")
        if kind is not None and found and step.state is StepState.DONE and needed <= step.detail.keys():
            yield AuditEvent(
                kind=kind,
                actor=_actor(kind, step),
                subject=f"run/{record.step.run}/row/{record.step.row}",
                detail={
                    **(_findings(step.detail) if kind is AuditKind.SCAN_FOUND else step.detail),
                    "step": step.step,
                    "decided_at": step.finished_at,
                    "attempt": record.step.attempt,
                },
                key=_key(record, step),
            )


def review_events(record: ReviewRecord) -> Iterator[AuditEvent]:
    """Yield what persons did in a round, also what did not decide it; a round is recorded more than once."""
    place = record.step
    for number, entry in enumerate(record.entries):
        if entry.by:
            told = entry.model_dump(mode="json", exclude={"by"}, exclude_defaults=True)
            yield AuditEvent(
                kind=AuditKind.REVIEW_ACTED,
                actor=entry.by,
                subject=f"run/{place.run}/row/{place.row}",
                detail={**told, "attempt": place.attempt},
                key=f"{place.run}/{place.row}/{place.attempt}/review/{record.round}/{number}",
            )


def _findings(detail: dict[str, Any]) -> dict[str, Any]:
    """Return what scanners found, in short: the first of it, and how much it is. The whole is in the row's record."""
    found: list[dict[str, Any]] = detail["findings"]
    told = [{name: one[name] for name in _TOLD if one.get(name)} for one in found[:_FINDINGS_TOLD]]
    return {"findings": told, "count": len(found)} | ({"sarif": detail["sarif"]} if detail.get("sarif") else {})


def _actor(kind: AuditKind, step: StepRecord) -> str:
    system = {AuditKind.POLICY_DECIDED: POLICY, AuditKind.SCAN_FOUND: SCANNERS}
    return system.get(kind) or str(step.detail.get("by") or NOBODY)


def _key(record: RowRecord, step: StepRecord) -> str:
    """Return what names one decision.

    A workflow task that is repeated after a crash has another time: what counts is the decision itself, and of a review
    when it was opened, as two rounds may end alike.
    """
    place = record.step
    opened = step.started_at if step.step == "review" else ""
    decided = hashlib.sha256(canonical(facts(step.detail)).encode()).hexdigest()[:16]
    return f"{place.run}/{place.row}/{place.attempt}/{step.step}/{step.ordinal}/{opened}/{decided}"
