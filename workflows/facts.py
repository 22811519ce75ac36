"""What is known of a row so far, and the records and statements made of it."""

from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Digest, Text
    from activities.artifacts.files import Snapshot
    from activities.experiments.contracts import Trial
    from activities.policy.contracts import Admission
    from activities.prompts.contracts import NamedText
    from activities.provenance.contracts import SealRequest, UpstreamOutput, UsedText
    from activities.records.contracts import RowRecord, RowState
    from activities.scans.contracts import Finding
    from catalogs.row import CatalogRow
    from workflows.contracts import RowRun
    from workflows.custody import contract_digest
    from workflows.draft import Draft
    from workflows.performing import now
    from workflows.review import ReviewProcess, ReviewState
    from workflows.steps import RowSteps
    from workflows.summaries import verdict_line


@dataclass
class RowFacts:
    """Everything the steps of a row have brought to light.

    Args:
        request: The row workflow's input.
        admission: The row as planned, with the decision on it; ``None`` before it was made.
        code_result: Digest of what its program did.
        files: What its program left; ``None`` after one that failed.
        joined: Whether the rows were added that its output proposes.
        original: Digest of the model's output that a reviewer made another text of.
    """

    request: RowRun
    review: ReviewProcess
    draft: Draft = field(default_factory=Draft)
    admission: Admission | None = None
    findings: tuple[Finding, ...] = ()
    code_result: Digest | None = None
    files: Snapshot | None = None
    original: Digest | None = None
    joined: bool = False
    state: RowState = RowState.RUNNING
    started_at: str = ""

    @property
    def row(self) -> CatalogRow | None:
        """The row as planned."""
        return self.admission.row if self.admission else None

    @property
    def trial(self) -> Trial | None:
        """Which variant of which experiment it runs as, if it takes part in one."""
        return self.admission.trial if self.admission else None

    @property
    def name(self) -> str:
        """What people call the row."""
        return (self.row.title if self.row else "") or self.request.row

    def record(
        self,
        steps: RowSteps,
        state: RowState,
        *,
        code: str = "",
        message: str = "",
        envelope: Digest | None = None,
        finished_at: str | None = None,
    ) -> RowRecord:
        """Return the row as the records keep it."""
        draft = self.draft
        return RowRecord(
            step=steps.ref("record"),
            state=state,
            generation=self.request.generation,
            started_at=self.started_at,
            finished_at=finished_at,
            code=code,
            message=message,
            output=draft.output,
            model=draft.answer.model if draft.answer else "",
            prompt_tokens=draft.prompt_tokens,
            completion_tokens=draft.completion_tokens,
            cost_usd=draft.cost_usd,
            saved_usd=draft.saved_usd,
            cached_calls=draft.cached_calls,
            similar=draft.similar,
            envelope=envelope,
            verdicts=draft.verdicts,
            findings=self.findings,
            steps=tuple(steps.records),
            files=self.files,
            trial=self.trial,
        )

    def seal_request(self, steps: RowSteps, admission: Admission, output: Text) -> SealRequest:
        """Return what is to be signed of how the output came to be."""
        draft, decision, trial = self.draft, admission.decision, admission.trial
        return SealRequest(
            step=steps.ref("provenance"),
            output=output.digest,
            row_digest=trial.planned if trial else contract_digest(admission.row),
            plan=self.request.plan,
            prompts=draft.prompts,
            models=draft.models,
            decision_digest=contract_digest(decision),
            policy=decision.policy,
            code_result=self.code_result,
            verdicts=tuple(
                {"criterion": v.criterion, "basis": v.basis.value, "passed": str(v.passed).lower()}
                for v in draft.verdicts
            ),
            review=self._reviewed(),
            started_at=self.started_at,
            finished_at=now(),
            custody=draft.custody,
            upstream=tuple(
                UpstreamOutput(row=one.name, output=one.text.digest, files=one.files.manifest if one.files else None)
                for one in self.request.upstream
            ),
            used=(
                *(UsedText(name=f"passage/{one.name}", digest=one.text.digest) for one in draft.passages or ()),
                *(UsedText(name=f"note/{one.name}", digest=one.text.digest) for one in self._notes()),
            ),
            files=self.files,
            submitter=self.request.submitter,
            generation=self.request.generation,
            route=self._route(),
            origin=admission.origin,
            proposal=draft.proposed.proposal if self.joined and draft.proposed else None,
            experiment=trial.model_dump(include={"experiment", "variant", "unit", "definition"}) if trial else None,
        )

    def _notes(self) -> tuple[NamedText, ...]:
        return self.request.notes if self.row and self.row.team else ()

    def details(self) -> str:
        """Return what Temporal Web shows of the row, in Markdown."""
        lines = [f"**State** {self.state.value}"]
        if self.row is not None:
            lines += [f"**Board** {self.row.board or '-'}", f"**Objective** {self.row.objective}"]
        if self.draft.verdicts:
            lines.append(f"**Criteria** {verdict_line(self.draft.verdicts)}")
        if self.review.reasons:
            lines.append("**Review** " + "; ".join(self.review.reasons))
        return "\n\n".join(lines)

    def _route(self) -> dict[str, Any] | None:
        route = self.draft.route
        if route is None:
            return None
        return {"groups": list(route.groups), "reason": route.reason, "wrote": route.groups[self.draft.tier]}

    def _reviewed(self) -> dict[str, Any] | None:
        review = self.review
        if review.state is ReviewState.NONE:
            return None
        told: dict[str, Any] = {"state": review.state.value, "by": review.decided_by, "rounds": review.round}
        told["decisions"] = [
            {
                name: value
                for name, value in entry.model_dump(mode="json", exclude={"reviewers"}).items()
                if value not in ("", None)
            }
            for entry in review.entries
            if entry.by
        ]
        if self.original is not None:
            told["original"] = self.original
        return told
