"""What every policy engine does, whoever runs it."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from activities.policy.contracts import CatalogDecision, Decision
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.engine import PolicyEngine
from activities.policy.server import OpaServerPolicy
from catalogs.row import CatalogRow
from catalogs.totals import CatalogTotals
from workers.policy import POLICIES, open_policy
from workers.settings import Settings

# Where nobody made the program of the server yet, the compiler takes its time.
pytestmark = [pytest.mark.timeout(500), pytest.mark.xdist_group("opa")]


def row(**columns: Any) -> CatalogRow:
    return CatalogRow.model_validate({"id": "a", "line": 2, "objective": "Summarise", **columns})


async def test_an_ordinary_row_is_allowed(engine: PolicyEngine) -> None:
    decision = await engine.admit(row(), "ana")
    assert decision.allow
    assert (decision.deny, decision.review) == ((), ())


async def test_a_denial_says_every_reason(engine: PolicyEngine) -> None:
    decision = await engine.admit(row(objective=" ", budget_usd=1000), "ana")
    assert not decision.allow
    assert decision.deny == ("budget_usd 1000 is above the limit of 100 for one row", "the row has no objective")


async def test_a_risky_row_is_reviewed_by_somebody_else(engine: PolicyEngine) -> None:
    decision = await engine.admit(row(risk="critical"), "ana")
    assert decision.allow
    assert decision.review == ("risk is critical",)
    assert decision.four_eyes


async def test_silence_approves_where_row_and_policy_agree(engine: PolicyEngine) -> None:
    assert (await engine.admit(row(on_deadline="approve"), "")).silence_approves
    assert not (await engine.admit(row(on_deadline="approve", risk="high"), "")).silence_approves


async def test_restricted_data_stays_on_local_models(engine: PolicyEngine) -> None:
    for restricted in ({"labels": {"data_class": "restricted"}}, {"data_class": "restricted"}):
        decision = await engine.admit(row(model="house", **restricted), "", served_locally=True)
        assert (decision.allow, decision.local_only) == (True, True)
        assert not (await engine.admit(row(model="openai", **restricted), "")).allow
    assert not (await engine.admit(row(), "")).local_only


async def test_an_ordinary_catalog_is_allowed(engine: PolicyEngine, embedded_policy: EmbeddedPolicy) -> None:
    decision = await engine.admit_catalog(CatalogTotals(rows=10, budget_usd=5.5, boards={"ops": 10}), "ana")
    assert decision.model_copy(update={"decision_id": ""}) == CatalogDecision(allow=True, policy=embedded_policy.digest)


async def test_a_catalog_beyond_the_limits_is_denied_with_every_reason(engine: PolicyEngine) -> None:
    decision = await engine.admit_catalog(CatalogTotals(rows=2_000_000, budget_usd=1e6, critical_unreviewed=1001), "")
    assert not decision.allow
    assert decision.deny == (
        "rows of risk critical without review: 1001, which is above the limit of 1000 for one catalog",
        "rows: 2000000, which is above the limit of 1000000 for one catalog",
        "total of budget_usd: 1000000, which is above the limit of 100000 for one catalog",
    )


async def test_a_decision_names_its_policy_by_digest(engine: PolicyEngine, embedded_policy: EmbeddedPolicy) -> None:
    assert (await engine.admit(row(), "")).policy == embedded_policy.digest


async def test_a_decision_of_the_server_is_found_in_its_log_by_its_id(
    server_policy: OpaServerPolicy, decision_log: Path
) -> None:
    decision = await server_policy.admit(row(), "ana")
    assert decision.decision_id
    assert decision.decision_id in decision_log.read_text()


async def test_the_settings_choose_the_engine(opa_url: str) -> None:
    async with AsyncExitStack() as stack:
        assert isinstance(await open_policy(Settings(), stack), EmbeddedPolicy)
        asked = await open_policy(Settings(opa_url=opa_url, opa_timeout_seconds=15), stack)
        assert isinstance(asked, OpaServerPolicy)
        assert (await asked.admit(row(), "ana")).allow


def test_a_decision_of_before_the_policy_server_still_decodes() -> None:
    recorded = {"allow": True, "policy": "sha256:" + "0" * 64}
    assert Decision.model_validate(recorded).decision_id == ""


def test_the_digest_is_of_what_decides_alone(tmp_path: Path) -> None:
    shutil.copytree(POLICIES, tmp_path, dirs_exist_ok=True)
    before = EmbeddedPolicy(tmp_path).digest
    (tmp_path / "admission" / "admission_test.rego").unlink()
    assert EmbeddedPolicy(tmp_path).digest == before == EmbeddedPolicy(POLICIES).digest
    data = tmp_path / "admission" / "data.json"
    data.write_text(data.read_text().replace("100", "101"))
    assert EmbeddedPolicy(tmp_path).digest != before
