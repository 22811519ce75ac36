"""Models and groups as people write them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.llm.contracts import InvalidModels
from activities.llm.groups import Strategy
from activities.llm.groups_file import load_groups

SAMPLE = Path("catalogs/samples/models.yaml")


async def key_of(source: str, _whose: str) -> SecretStr | None:
    return None if source == "UNSET" else SecretStr(f"what {source} holds")


async def test_the_sample_is_read() -> None:
    groups = await load_groups(SAMPLE, key_of)
    fast = groups.find("default")
    assert [(one.group, one.weight, one.rpm) for one in fast.deployments] == [("gpt-mini", 3, 500), ("haiku", 1, None)]
    assert fast.strategy is Strategy.WEIGHTED
    assert fast.deployments[0].api_key == SecretStr("what OPENAI_API_KEY holds")
    assert [group.name for group in groups.chain("")] == ["fast", "smart"]
    assert groups.find("house").deployments[1].local
    assert groups.find("local").deployments[0].local
    assert (await load_groups(SAMPLE, key_of, "house")).default == "house"


async def test_every_fault_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "deployments:\n"
        "  a: {model: gpt, key_env: A, key_secret: 'secret://a', rpm: 0, url: gpu}\n"
        "  local: {model: openai/x, local: true, budget_usd_per_day: 0}\n"
        "groups:\n"
        "  fast: {deployments: [a, b], strategy: best, fallback: [slow]}\n"
        "  empty: {deployments: []}\n"
        "aliases: {fast: slow}\n"
        "default: none\n"
        "routing: {tiers: [fast, none], local_share: 140%, best_for: [odd]}\n"
        "key: sk-planted\n"
    )
    with pytest.raises(InvalidModels) as refused:
        await load_groups(path, key_of)
    told = refused.value.message
    for expected in (
        "line 2: deployments.a.model: must be provider/model",
        "line 2: deployments.a.url: must be an address",
        "line 2: deployments.a.rpm",
        "line 2: deployments.a.key_secret: the key stands in key_env already",
        "line 3: deployments.local: this is the name of the embedded model",
        "line 3: deployments.local.local: the provider's own endpoint is not of the house",
        "line 3: deployments.local.budget_usd_per_day: must be more than nothing",
        "line 5: groups.fast.deployments.1: there is no deployment 'b'",
        "line 5: groups.fast.strategy",
        "line 5: groups.fast.fallback.0: there is no group 'slow'",
        "line 6: groups.empty.deployments",
        "line 7: aliases.fast: this is the name of a group",
        "line 8: default: there is no group 'none'",
        "line 9: routing.tiers.1: there is no group 'none'",
        "line 9: routing.local_share: must be a share from 0% to 100%",
        "line 9: routing.best_for.0",
        "line 10: key",
    ):
        assert expected in told
    assert "sk-planted" not in told


async def test_a_key_that_is_not_set_is_told_before_a_row_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("deployments: {a: {model: openai/x, key_env: UNSET}}\ngroups: {g: {deployments: [a]}}\n")
    with pytest.raises(InvalidModels, match="UNSET, the key of a, is not set"):
        await load_groups(path, key_of)
