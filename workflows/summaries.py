"""One line for a person and a few facts for a program about each step's result. Pure functions."""

from functools import singledispatch
from typing import Any

from activities.artifacts.contracts import Text
from activities.knowledge.contracts import Retrieved
from activities.llm.contracts import Judgement, ModelAnswer
from activities.notifications.contracts import Delivery
from activities.planning.contracts import Proposed
from activities.policy.contracts import Admission, Decision
from activities.policy.release_contracts import ReleaseDecision
from activities.prompts.contracts import Prompt
from activities.provenance.contracts import Seal
from activities.routing.contracts import Route
from activities.sandbox.contracts import SandboxResult
from activities.scans.contracts import CodeScanReport, ScanReport
from activities.teams.contracts import Choice, Items
from activities.tools.contracts import ToolCheck
from activities.verification.contracts import Structured, Verdict, Verification
from catalogs.window import Dropped

Summary = tuple[str, dict[str, Any]]


@singledispatch
def summarise(result: object) -> Summary:
    """Return a summary line and the facts worth keeping of a step's result."""
    raise TypeError(f"no summary for {type(result).__name__}")


@summarise.register
def _(result: Admission) -> Summary:
    trial, told = result.trial, result.decision.model_dump(mode="json")
    if trial is None:
        return _decided(result.decision), told
    line = f"{_decided(result.decision)}, variant {trial.variant} of {trial.experiment}"
    return line, told | {"trial": trial.model_dump(mode="json")}


@summarise.register
def _(result: ReleaseDecision) -> Summary:
    return _decided(result), result.model_dump(mode="json")


@summarise.register
def _(result: Route) -> Summary:
    return f"{result.groups[0]}: {result.reason}", result.model_dump(mode="json")


@summarise.register
def _(result: Prompt) -> Summary:
    cut = sum(one.characters for one in result.dropped)
    line = f"{result.text.size} bytes" + (f", {cut:,} characters cut to fit {result.window:,} tokens" if cut else "")
    told = {"prompt": reference(result.text), "system": result.system}
    if result.template:
        told["template"] = result.template
    if result.dropped:
        told["dropped"] = [dropped_line(one) for one in result.dropped]
    return line, told


@summarise.register
def _(result: Retrieved) -> Summary:
    found = len(result.passages)
    sources = [one.name for one in result.passages]
    return f"{found} passage{'s' if found != 1 else ''}", {"passages": sources}


@summarise.register
def _(result: Choice) -> Summary:
    chosen = "no answer chosen" if result.chosen is None else f"answer {result.chosen + 1} of {result.of} chosen"
    votes = f", {result.votes} of {result.of} agree" if result.votes else ""
    return chosen + votes, result.model_dump(mode="json")


@summarise.register
def _(result: Proposed) -> Summary:
    detail = result.model_dump(mode="json", exclude_defaults=True, exclude={"decision"})
    if result.decision is not None:
        # As of every decision of the policy: the audit log and the report of a run look for it there.
        detail |= result.decision.model_dump(mode="json")
    if result.objections:
        return "refused: " + "; ".join(result.objections), detail
    count = len(result.rows)
    told = "; ".join(result.review)
    line = f"{count} row{'s' if count != 1 else ''} proposed"
    return f"{line}, review demanded: {told}" if told else line, detail


@summarise.register
def _(result: Items) -> Summary:
    return f"{result.found} part{'s' if result.found != 1 else ''}", {"items": list(result.items)}


@summarise.register
def _(result: ModelAnswer) -> Summary:
    if result.cached_from:
        what = f"from the cache, answer of a similar request, {result.similar}" if result.similar else "from the cache"
        line = f"{result.model}, {what}, saved ${result.saved_usd:.4f}"
    else:
        tokens = f"{result.prompt_tokens}+{result.completion_tokens} tokens"
        line = f"{result.model}, {tokens}, ${result.cost_usd:.4f}, {result.latency_ms} ms"
    exclude = {"output", "calls"} if result.similar else {"output", "calls", "similar"}
    detail = {"output": reference(result.output), **result.model_dump(mode="json", exclude=exclude)}
    if not result.calls:
        return line, detail
    names = [call.name for call in result.calls]
    return f"{line}, calls {', '.join(names)}", detail | {"calls": names}


@summarise.register
def _(result: ToolCheck) -> Summary:
    line = ": ".join([f"{result.name} {result.outcome.value}", "; ".join(result.reasons + result.review)])
    return line.removesuffix(": "), {
        "arguments": reference(result.arguments),
        **result.model_dump(mode="json", exclude={"arguments", "program"}, exclude_defaults=True),
    }


@summarise.register
def _(result: Verification) -> Summary:
    return verdict_line(result.verdicts), {"verdicts": [v.model_dump(mode="json") for v in result.verdicts]}


@summarise.register
def _(result: Structured) -> Summary:
    output = {"output": reference(result.output)} if result.output else {}
    return result.verdict.reason, {"faults": list(result.faults), **output}


@summarise.register
def _(result: Judgement) -> Summary:
    answer = result.answer.model_dump(mode="json", exclude={"output"})
    verdicts = [v.model_dump(mode="json") for v in result.verdicts]
    return verdict_line(result.verdicts), {"verdicts": verdicts, "answer": answer}


@summarise.register
def _(result: ScanReport) -> Summary:
    found = len(result.findings)
    line = "clean" if not found else f"{found} secret{'s' if found > 1 else ''} found"
    return f"{line} ({result.scanner} {result.version})", result.model_dump(mode="json")


@summarise.register
def _(result: CodeScanReport) -> Summary:
    found = len(result.findings)
    line = f"{found} finding{'s' if found > 1 else ''}" if found else "clean"
    by = ", ".join(f"{one.scanner} {one.version}".strip() for one in result.scanners)
    return f"{line} ({by})" if by else "no code to scan", result.model_dump(mode="json")


@summarise.register
def _(result: SandboxResult) -> Summary:
    kept = f", {result.files.files} file{'' if result.files.files == 1 else 's'} kept" if result.files else ""
    kept = f", no file kept: {result.unkept}" if result.unkept else kept
    return f"{result.reason.value}, {result.seconds:.2f} s{kept}", {
        "stdout": reference(result.stdout),
        "stderr": reference(result.stderr),
        **result.model_dump(mode="json", exclude={"stdout", "stderr"}),
    }


@summarise.register
def _(result: Seal) -> Summary:
    return f"signed by {result.keyid[:16]}", result.model_dump(mode="json")


@summarise.register
def _(result: Delivery) -> Summary:
    return "delivered" if result.delivered else "had been delivered", result.model_dump(mode="json")


def _decided(decision: Decision | ReleaseDecision) -> str:
    if not decision.allow:
        return "denied: " + "; ".join(decision.deny)
    if decision.review:
        return "allowed, review demanded: " + "; ".join(decision.review)
    return "allowed"


def dropped_line(dropped: Dropped) -> str:
    """Return what was cut of one part of a prompt."""
    return f"{dropped.part}: {'all ' if dropped.whole else ''}{dropped.characters:,} characters"


def reference(text: Text) -> dict[str, Any]:
    """Return a text's digest and size, without the text."""
    return {"digest": text.digest, "size": text.size}


def verdict_line(verdicts: tuple[Verdict, ...]) -> str:
    """Return how many criteria passed, failed and were not verified."""
    passed = sum(verdict.passed is True for verdict in verdicts)
    failed = sum(verdict.passed is False for verdict in verdicts)
    open_ = len(verdicts) - passed - failed
    parts = [f"{passed} passed", f"{failed} failed"] + ([f"{open_} unverified"] if open_ else [])
    return ", ".join(parts)
