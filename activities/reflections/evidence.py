"""Evidence in the records: votes against outputs, texts that people put in their place, criteria that failed."""

import re
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, Engine, select, tuple_

from activities.artifacts.contracts import ArtifactNotFound, ArtifactStore
from activities.feedback.contracts import Rating
from activities.feedback.pairs import asked_for
from activities.feedback.tables import FeedbackRow
from activities.plans.contracts import PlanReader
from activities.records.contracts import RowState
from activities.records.tables import RunRow, StepRow, TaskRecord
from activities.records.transactions import Transactions
from catalogs.evidence import Evidence, EvidenceKind
from catalogs.team import Agent

_VOTES = FeedbackRow.__table__  # type: ignore[attr-defined]
_ROWS = TaskRecord.__table__  # type: ignore[attr-defined]
_RUNS = RunRow.__table__  # type: ignore[attr-defined]
_STEPS = StepRow.__table__  # type: ignore[attr-defined]
# What one reflection is shown at most, and of each text of it.
MOST: Final = 12
TEXT_CHARS: Final = 1_500
# Of so many votes and rows the newest are looked at: those of earlier versions of the agent do not count.
_LOOKED_AT: Final = 300
_NAMES: Final = re.compile(r"\s*[>;,]\s*")
_LABEL: Final = "data_class"


class RecordedEvidence:
    """Reads evidence out of votes, rows, steps and artifacts.

    Args:
        engine: The records database.
        artifacts: Where prompts and outputs are.
        plans: Where it stands how closely a row's data is kept.
    """

    def __init__(self, engine: Engine, artifacts: ArtifactStore, plans: PlanReader) -> None:
        self._transactions = Transactions(engine)
        self._artifacts = artifacts
        self._plans = plans

    async def evidence(self, agent: Agent, board: str = "", since: str = "") -> list[Evidence]:
        """Return the newest evidence on what an agent wrote under the words that it is told now, the newest first.

        Args:
            agent: Who wrote, or had a part in it.
            board: Only of this board; empty for all.
            since: None from before this moment.
        """
        found, steps = await self._transactions.read(lambda connection: _found(connection, agent.name, board))
        evidence: list[Evidence] = []
        for one in sorted(found, key=lambda one: (one["at"], one["run"], one["row"]), reverse=True):
            asked = _asked(steps.get((one["run"], one["row"]), []), one, agent)
            if asked is not None and one["at"] >= since:
                evidence.append(await self._read(one, asked))
            if len(evidence) == MOST:
                break
        return evidence

    async def _read(self, one: dict[str, Any], asked: dict[str, Any]) -> Evidence:
        row = (await self._plans.row(one["plan"], one["position"])).row
        return Evidence(
            kind=one["kind"],
            run=one["run"],
            row=one["row"],
            at=one["at"],
            why=one["why"][:TEXT_CHARS],
            task=await self._text(asked["prompt"]["digest"]),
            answer=await self._text(one["output"]),
            better=await self._text(one["better"]),
            data_class=row.data_class or row.labels.get(_LABEL, ""),
        )

    async def _text(self, digest: str | None) -> str:
        try:
            text = (await self._artifacts.get(digest)).decode() if digest else ""
        except ArtifactNotFound:
            return ""
        return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]} [cut]"


def _found(
    connection: Connection, agent: str, board: str
) -> tuple[list[dict[str, Any]], dict[tuple[str, str], list[dict[str, Any]]]]:
    """Return what speaks against outputs that the agent had a part in, and the steps of their rows."""
    found = [*_votes(connection, agent, board), *_failures(connection, agent, board)]
    found = [one for one in found if agent in _NAMES.split(one["agent"].strip())]
    rows = {(one["run"], one["row"]) for one in found}
    if not rows:
        return [], {}
    here = tuple_(_STEPS.c.run, _STEPS.c.row).in_(rows) & _STEPS.c.step.in_(("prompt", "model"))
    ordered = select(_STEPS).where(here).order_by(_STEPS.c.attempt, _STEPS.c.finished_at, _STEPS.c.started_at)
    steps: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for step in connection.execute(ordered).mappings():
        steps.setdefault((step["run"], step["row"]), []).append(dict(step))
    return found, steps


def _votes(connection: Connection, agent: str, board: str) -> Iterable[dict[str, Any]]:
    same = (_ROWS.c.run == _VOTES.c.run) & (_ROWS.c.row == _VOTES.c.row)
    tables = _VOTES.join(_ROWS, same).join(_RUNS, _RUNS.c.run == _VOTES.c.run)
    wanting = (_VOTES.c.rating == Rating.BAD.value) & _VOTES.c.agent.contains(agent, autoescape=True)
    # A vote that neither says why nor what would have been better teaches nothing.
    wanting &= (_VOTES.c.reason != "") | _VOTES.c.better.is_not(None)
    if board:
        wanting &= _VOTES.c.board == board
    statement = select(_VOTES, _ROWS.c.position, _RUNS.c.plan).select_from(tables).where(wanting)
    for vote in connection.execute(statement.order_by(_VOTES.c.at.desc()).limit(_LOOKED_AT)).mappings():
        kind = EvidenceKind.EDIT if vote["better"] else EvidenceKind.VOTE
        yield dict(vote) | {"kind": kind, "why": vote["reason"]}


def _failures(connection: Connection, agent: str, board: str) -> Iterable[dict[str, Any]]:
    tables = _ROWS.join(_RUNS, _RUNS.c.run == _ROWS.c.run)
    ended = [RowState.VERIFICATION_FAILED.value, RowState.REJECTED.value, RowState.SUCCEEDED.value]
    wanting = _ROWS.c.state.in_(ended) & _ROWS.c.agent.contains(agent, autoescape=True)
    if board:
        wanting &= _ROWS.c.board == board
    columns = (_ROWS.c[name] for name in ("run", "row", "agent", "attempt", "position", "verdicts", "output_digest"))
    statement = select(*columns, _ROWS.c.finished_at, _RUNS.c.plan).select_from(tables).where(wanting)
    for row in connection.execute(statement.order_by(_ROWS.c.finished_at.desc()).limit(_LOOKED_AT)).mappings():
        failed = [one for one in row["verdicts"] if one.get("passed") is False]
        if failed:
            why = "\n".join(f"{one['criterion']}: {one.get('reason', '')}" for one in failed)
            told = {"kind": EvidenceKind.CRITERION, "why": why, "output": row["output_digest"], "better": None}
            yield dict(row) | told | {"at": row["finished_at"] or ""}


def _asked(steps: list[dict[str, Any]], one: dict[str, Any], agent: Agent) -> dict[str, Any] | None:
    """Return what the agent was asked in the words of now before the output came about; ``None`` if in others."""
    exact = asked_for(steps).get((one["attempt"], one["output"]))
    prompts = [step["detail"] for step in steps if step["step"] == "prompt" and step["attempt"] == one["attempt"]]
    candidates = ([exact] if exact else []) + prompts[::-1]
    told = (asked for asked in candidates if asked.get("system", "").startswith(agent.system))
    return next(told, None)
