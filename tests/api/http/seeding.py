"""Runs as they look in real life, written by the real keeper: no worker and no Temporal server needed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.artifacts.contracts import digest_of
from activities.notifications.contracts import Notification
from activities.notifications.inbox import InboxNotifier
from activities.provenance.activity import ProvenanceActivities
from activities.provenance.contracts import SealRequest
from activities.provenance.keyfile import KeyFileSigner
from activities.records.contracts import (
    RowChange,
    RowChanges,
    RowRecord,
    RowState,
    RunChange,
    RunOpening,
    RunState,
    StepRecord,
    StepState,
)
from activities.records.database import timestamp
from activities.reviews.contracts import ReviewEntry, ReviewRecord, ReviewState, ReviewTerms
from activities.reviews.register import SqlReviewRegister
from activities.scans.contracts import Finding
from activities.verification.contracts import Basis, Verdict
from catalogs.plan import Proposal
from temporal.contract import StepRef
from workers.compose import Stores
from workers.settings import Settings

PLAN = digest_of(b"a plan")


@dataclass(frozen=True)
class Seed:
    """A row and how it ended."""

    row: str
    title: str
    objective: str
    state: RowState = RowState.SUCCEEDED
    output: str = ""
    code: str = ""
    message: str = ""
    verdicts: Sequence[Verdict] = ()
    findings: Sequence[Finding] = ()
    cost: float = 0.0031
    seconds: float = 2.4
    upstream: list[str] = field(default_factory=list)
    terms: ReviewTerms = field(default_factory=ReviewTerms)
    risk: str = ""
    earlier: str = ""
    board: str = ""
    agent: str = ""
    requests: int = 1
    proposal: Proposal | None = None


class Seeder:
    """Writes runs.

    Args:
        settings: The installation's settings; its signing key signs.
        stores: The installation's stores.
    """

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self._settings = settings
        self.stores = stores

    async def run(
        self,
        run: str,
        title: str,
        rows: Sequence[Seed],
        *,
        state: RunState,
        minutes_ago: float = 5,
        took: float = 90,
        submitter: str = "",
    ) -> None:
        """Write a run with its rows; pending ones are only opened."""
        keeper = self.stores.keeper
        begun = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        await keeper.open_run(
            RunOpening(run=run, plan=PLAN, title=title, submitter=submitter, started_at=timestamp(begun))
        )
        await keeper.change_run(
            RunChange(run=run, state=RunState.RUNNING, sequence=0, at=timestamp(begun), concurrency=8)
        )
        await keeper.open_rows(run, [_opened(position, seed) for position, seed in enumerate(rows)])
        for position, seed in enumerate(rows):
            at = begun + timedelta(seconds=1 + position * took / max(len(rows), 1))
            if seed.state.ended and seed.output:
                await self._ended(run, seed, at)
            elif seed.state is not RowState.PENDING:
                if seed.output:
                    await self._ended(run, seed, at)
                change = RowChange(row=seed.row, state=seed.state, code=seed.code, message=seed.message)
                await keeper.change_rows(RowChanges(run=run, at=timestamp(at), changes=(change,)))
                if seed.state is RowState.REVIEW:
                    await self._waiting(run, seed, at)
        if state is not RunState.RUNNING:
            end = timestamp(begun + timedelta(seconds=took))
            await keeper.change_run(RunChange(run=run, state=state, sequence=1, at=end))

    async def told(self, run: str, row: str, title: str, body: str, severity: str = "info") -> None:
        """Tell somebody something of a row."""
        step = StepRef(run=run, row=row, step="notify")
        await InboxNotifier(self.stores.engine).deliver(
            Notification(step=step, title=title, body=body, severity=severity)
        )

    async def _waiting(self, run: str, seed: Seed, at: datetime) -> None:
        """Write the review of a row; ``earlier`` is the text of a first round that somebody wanted changed."""
        register, step = SqlReviewRegister(self.stores.engine), StepRef(run=run, row=seed.row, step="review")
        texts = [text for text in (seed.earlier, seed.output) if text]
        for number, text in enumerate(texts, start=1):
            output = await self.stores.texts.keep(text)
            entries = [ReviewEntry(kind="opened", round=number, at=timestamp(at), comment=seed.message)]
            over = number < len(texts)
            if over:
                words = "The closing balance does not add up, and the IBAN is still open."
                entries.append(
                    ReviewEntry(
                        kind="request_changes", round=1, at=timestamp(at), by="ben", comment=words, via="console"
                    )
                )
            record = ReviewRecord(
                step=step,
                round=number,
                state=ReviewState.CHANGES_REQUESTED if over else ReviewState.WAITING,
                reasons=(seed.message,),
                terms=seed.terms,
                output=output.digest,
                opened_at=timestamp(at),
                decided_by="ben" if over else "",
                entries=tuple(entries),
            )
            await register.record(record)

    async def _ended(self, run: str, seed: Seed, at: datetime) -> None:
        texts = self.stores.texts
        prompt = await texts.keep(f"{seed.objective}\n\nAnswer in plain text, in at most 200 words.")
        output = await texts.pack(seed.output)
        end = at + timedelta(seconds=seed.seconds)
        signer = KeyFileSigner.open(self._settings.signing_key)
        self._settings.public_key.write_bytes(signer.public_key_pem)
        sealed = ProvenanceActivities(signer, self.stores.artifacts)
        ref = StepRef(run=run, row=seed.row, step="provenance")
        seal = await sealed.seal(
            SealRequest(
                step=ref,
                output=output.digest,
                row_digest=digest_of(seed.objective.encode()),
                plan=PLAN,
                prompts=(prompt.digest,),
                models=("anthropic/claude-sonnet-4-5",),
                decision_digest=digest_of(b"decision"),
                policy=digest_of(b"policy"),
            )
        )
        steps = _steps(seed, at, {"digest": prompt.digest, "size": prompt.size}, output.digest, output.size, seal.keyid)
        if seed.proposal is not None:
            kept = await self.stores.artifacts.put(seed.proposal.model_dump_json().encode())
            told = f"{len(seed.proposal.rows)} rows proposed"
            steps += (StepRecord(step="proposal", finished_at=timestamp(at), summary=told, detail={"proposal": kept}),)
        await self.stores.keeper.record_row(
            RowRecord(
                step=ref,
                state=seed.state,
                started_at=timestamp(at),
                finished_at=timestamp(end),
                code=seed.code,
                message=seed.message,
                output=output,
                model="anthropic/claude-sonnet-4-5",
                prompt_tokens=412,
                completion_tokens=188,
                cost_usd=seed.cost,
                envelope=seal.envelope,
                verdicts=tuple(seed.verdicts),
                findings=tuple(seed.findings),
                steps=steps,
            )
        )


def proven(criterion: str, *, passed: bool = True, reason: str = "") -> Verdict:
    """A verdict of code."""
    return Verdict(criterion=criterion, basis=Basis.PROVEN, passed=passed, reason=reason)


def judged(criterion: str, reason: str, *, passed: bool = True) -> Verdict:
    """A verdict of a model."""
    return Verdict(criterion=criterion, basis=Basis.JUDGED, passed=passed, reason=reason)


def unverified(criterion: str) -> Verdict:
    """A criterion that nobody checked."""
    return Verdict(criterion=criterion, basis=Basis.UNVERIFIED, passed=None)


def _opened(position: int, seed: Seed) -> dict[str, Any]:
    board, _, task = seed.row.partition("/")
    return {
        "row": seed.row,
        "position": position,
        "board": seed.board or board,
        "task": task,
        "title": seed.title,
        "objective": seed.objective,
        "upstream": seed.upstream,
        "risk": seed.risk,
        "agent": seed.agent,
    }


def _steps(
    seed: Seed, at: datetime, prompt: dict[str, Any], output: str, size: int, keyid: str
) -> tuple[StepRecord, ...]:
    passed = sum(verdict.passed is True for verdict in seed.verdicts)
    failed = sum(verdict.passed is False for verdict in seed.verdicts)
    unknown = len(seed.verdicts) - passed - failed
    checked = f"{passed} passed, {failed} failed" + (f", {unknown} unverified" if unknown else "")
    found = len(seed.findings)
    told: list[tuple[str, float, str, dict[str, Any]]] = [
        ("policy", 0.004, "allowed", {"allow": True, "review": [], "deny": [], "policy": digest_of(b"policy")}),
        ("prompt", 0.003, f"{prompt['size']} bytes", {"prompt": prompt, "system": "You answer for the board."}),
        (
            "model",
            seed.seconds - 0.3,
            f"anthropic/claude-sonnet-4-5, 412+188 tokens, ${seed.cost:.4f}, {int(seed.seconds * 900)} ms",
            {
                "output": {"digest": output, "size": size},
                "model": "anthropic/claude-sonnet-4-5",
                "attempt": seed.requests,
                "prompt_tokens": 412,
                "latency_ms": int(seed.seconds * 900),
                "cost_usd": seed.cost,
            },
        ),
        ("verification", 0.006, checked, {"verdicts": [one.model_dump(mode="json") for one in seed.verdicts]}),
        ("scan", 0.031, f"{found} secret found" if found else "clean (gitleaks 8.30.1)", {"scanner": "gitleaks"}),
        ("provenance", 0.002, f"signed by {keyid[:16]}", {"keyid": keyid}),
    ]
    steps: list[StepRecord] = []
    for name, seconds, summary, detail in told:
        end = at + timedelta(seconds=seconds)
        wrong = seed.state is RowState.FAILED and name == "scan"
        steps.append(
            StepRecord(
                step=name,
                state=StepState.FAILED if wrong else StepState.DONE,
                started_at=timestamp(at),
                finished_at=timestamp(end),
                summary=summary,
                detail=detail,
            )
        )
        at = end
    return tuple(steps)
