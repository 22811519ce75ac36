"""What was done to a row's output, act by act, as provenance states it. Pure functions."""

from activities.artifacts.contracts import Digest, Text, digest_of
from activities.artifacts.files import Snapshot
from activities.llm.contracts import ModelAnswer, ToolResult
from activities.planning.contracts import Proposed
from activities.policy.release_contracts import ReleaseDecision
from activities.prompts.contracts import Prompt
from activities.provenance.contracts import Act, CustodyAct
from activities.reviews.contracts import ReviewDecision
from activities.sandbox.contracts import SandboxRequest, SandboxResult
from activities.scans.contracts import CodeScanReport, ScanReport
from activities.tools.contracts import CallOutcome, ToolCheck
from activities.verification.contracts import OUTPUT_SCHEMA
from catalogs.team import Agent
from temporal.contract import Contract


def written(prompt: Prompt, answer: ModelAnswer, agent: Agent | None = None) -> CustodyAct:
    """A model wrote the text, for this row, the same call or a similar one before; in whose turn, if an agent's."""
    return CustodyAct(
        act=Act.WRITTEN,
        by=answer.model,
        prompt=prompt.text.digest,
        text=answer.output.digest,
        outcome=_found_in_cache(answer),
        agent=agent.label if agent else "",
        definition=agent.digest if agent else None,
        template=prompt.template,
    )


def chosen(answer: ModelAnswer, by: str, outcome: str, agent: Agent) -> CustodyAct:
    """One of several texts was chosen; the agent is the one who wrote it."""
    return CustodyAct(
        act=Act.CHOSEN,
        by=by,
        text=answer.output.digest,
        outcome=outcome,
        agent=agent.label,
        definition=agent.digest,
    )


def structured(answer: Text, output: Text) -> CustodyAct:
    """The answer fits its schema, and was put in canonical form."""
    return CustodyAct(act=Act.STRUCTURED, by=OUTPUT_SCHEMA, before=answer.digest, text=output.digest, outcome="fits")


def scanned(text: Text, report: ScanReport) -> CustodyAct:
    """A scanner looked at the text."""
    return CustodyAct(
        act=Act.SCANNED,
        by=f"{report.scanner} {report.version}".strip(),
        text=text.digest,
        outcome=_found(len(report.findings)),
        result=contract_digest(report),
    )


def scanned_for_code(text: Text, report: CodeScanReport) -> CustodyAct:
    """Scanners looked at the code of the text."""
    return CustodyAct(
        act=Act.SCANNED,
        by=", ".join(f"{one.scanner} {one.version}".strip() for one in report.scanners) or "nothing to scan",
        text=text.digest,
        outcome=_found(len(report.findings)),
        result=report.sarif,
    )


def files_scanned(text: Text, files: Snapshot, report: CodeScanReport) -> CustodyAct:
    """Scanners looked at the files that the program left."""
    return scanned_for_code(text, report).model_copy(update={"files": files.manifest})


def judged(text: Text, decision: ReleaseDecision) -> CustodyAct:
    """The policy decided whether the text may leave."""
    return CustodyAct(
        act=Act.JUDGED,
        by=f"policy {decision.policy}",
        text=text.digest,
        outcome="allowed" if decision.allow else "denied",
        result=contract_digest(decision),
    )


def proposed(text: Text, found: Proposed) -> tuple[CustodyAct, ...]:
    """The policy decided whether the rows may be added that the text proposes; not asked of a faulty one."""
    if found.decision is None:
        return ()
    return (
        CustodyAct(
            act=Act.JUDGED,
            by=f"policy {found.decision.policy}",
            text=text.digest,
            outcome="allowed" if found.decision.allow else "denied",
            result=contract_digest(found),
        ),
    )


def executed(text: Text, request: SandboxRequest, result: SandboxResult) -> CustodyAct:
    """A program ran in the sandbox; the text was its input, or held it."""
    return CustodyAct(
        act=Act.EXECUTED,
        by=request.language.value,
        text=text.digest,
        program=request.code.digest,
        outcome=result.reason.value,
        stdout=result.stdout.digest,
        stderr=result.stderr.digest,
        found=result.before.manifest if result.before else None,
        files=result.files.manifest if result.files else None,
        result=contract_digest(result),
    )


def called(said: Text, check: ToolCheck, result: ToolResult, agent: Agent | None = None) -> CustodyAct:
    """A model wanted a tool to be called, in the turn of an agent if any; the text is what it said with that."""
    outcome = check.outcome.value if check.outcome is not CallOutcome.ALLOWED else "error" if result.error else "ok"
    return CustodyAct(
        act=Act.CALLED,
        by=f"tool {check.name}",
        text=said.digest,
        program=check.definition,
        arguments=check.arguments.digest,
        stdout=result.text.digest if result.text else None,
        outcome=outcome,
        result=contract_digest(result),
        agent=agent.label if agent else "",
        definition=agent.digest if agent else None,
    )


def edited(before: Text, decision: ReviewDecision, after: Text, review_round: int) -> CustodyAct:
    """A person made another text of it."""
    return CustodyAct(
        act=Act.EDITED,
        by=decision.by,
        before=before.digest,
        text=after.digest,
        round=review_round,
        outcome=decision.kind.value,
    )


def contract_digest(model: Contract) -> Digest:
    """Return the digest by which a contract is known."""
    return digest_of(model.model_dump_json().encode())


def _found_in_cache(answer: ModelAnswer) -> str:
    if not answer.cached_from:
        return ""
    told = f"from the cache, call {answer.cached_from}"
    return f"{told}, answer of a similar request, {answer.similar}" if answer.similar else told


def _found(count: int) -> str:
    return f"{count} finding{'s' if count > 1 else ''}" if count else "clean"
