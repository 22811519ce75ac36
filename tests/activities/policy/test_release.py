"""What both engines say of outputs that want to leave."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.artifacts.contracts import Text, digest_of
from activities.policy.bundle import RegoBundle
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.engine import PolicyEngine
from activities.policy.folder import admission_only, read_policies
from activities.policy.release_contracts import RELEASE, ReleaseRequest, release_decision_of
from activities.policy.server import OpaServerPolicy
from activities.scans.contracts import Finding
from activities.scans.folder_contracts import Severity
from catalogs.row import CatalogRow
from temporal.contract import StepRef
from workers.policy import POLICIES

pytestmark = [pytest.mark.timeout(500), pytest.mark.xdist_group("opa")]

BUNDLE = RegoBundle(read_policies(POLICIES, admission_only), (RELEASE,))
FEWER = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS | st.sampled_from(Severity),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)
FINDINGS = st.builds(
    Finding,
    rule=WORDS,
    description=WORDS,
    line=st.integers(0, 9),
    column=st.just(1),
    fingerprint=st.just("f"),
    severity=st.sampled_from(Severity),
    secret=st.booleans(),
    place=st.sampled_from(["", "the row's program"]),
)
PARTS = st.sampled_from(["text", "findings", "models", "cost_usd"])
OUTPUTS = st.fixed_dictionaries({}, optional={"output": st.dictionaries(PARTS, NONSENSE) | NONSENSE})


def asked(*findings: Finding, text: str = "Fine.") -> ReleaseRequest:
    return ReleaseRequest(
        step=StepRef(run="r", row="a", step="release"),
        row=CatalogRow(id="a", line=2, objective="Write a program"),
        output=Text(digest=digest_of(text.encode()), size=len(text.encode()), inline=text),
        findings=findings,
    )


def finding(severity: Severity, **known: Any) -> Finding:
    told = {"rule": "B602", "description": "shell", "line": 3, "column": 1, "fingerprint": "f", "secret": False}
    return Finding.model_validate({**told, "scanner": "bandit", "severity": severity, **known})


async def test_a_clean_output_leaves_unseen(engine: PolicyEngine) -> None:
    decision = await engine.release(asked(), "Fine.")
    assert (decision.allow, decision.deny, decision.review) == (True, (), ())


async def test_a_finding_counts_from_a_threshold_on(engine: PolicyEngine) -> None:
    decided = {severity: await engine.release(asked(finding(severity)), "Fine.") for severity in Severity}
    assert {severity for severity, decision in decided.items() if not decision.allow} == {Severity.CRITICAL}
    assert {severity for severity, decision in decided.items() if decision.review} == {Severity.HIGH}
    assert decided[Severity.HIGH].review == ("B602 (high, bandit) on line 3",)


async def test_a_finding_in_the_rows_own_program_says_so(engine: PolicyEngine) -> None:
    decision = await engine.release(asked(finding(Severity.CRITICAL, place="the row's program")), "Fine.")
    assert decision.deny == ("B602 (critical, bandit) on line 3 of the row's program",)


@FEWER
@given(findings=st.lists(FINDINGS, max_size=3), text=WORDS)
async def test_outputs_get_the_same_decision(
    embedded_policy: EmbeddedPolicy, server_policy: OpaServerPolicy, findings: list[Finding], text: str
) -> None:
    request = asked(*findings, text=text)
    decided = await server_policy.release(request, text)
    assert decided.model_copy(update={"decision_id": ""}) == await embedded_policy.release(request, text)


@FEWER
@given(document=OUTPUTS)
async def test_nonsense_gets_the_same_answer_and_leaves_nowhere(
    server_policy: OpaServerPolicy, document: dict[str, Any]
) -> None:
    embedded = BUNDLE.evaluate(RELEASE, document)
    assert (await server_policy._ask(RELEASE, document))["result"] == embedded
    known = isinstance(document.get("output"), dict) and isinstance(document["output"].get("text"), str)
    assert known or not release_decision_of(embedded, BUNDLE.digest).allow
