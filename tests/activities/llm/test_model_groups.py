"""Which model groups an environment offers, without any network."""

import pytest
from pydantic import SecretStr

from activities.llm.contracts import UnknownModel
from activities.llm.groups import discover_groups


def test_without_any_key_there_is_the_embedded_model_alone() -> None:
    groups = discover_groups({})
    assert [(found.group, found.local) for found in groups.deployments] == [("local", True)]
    assert groups.default == "local"


def test_a_key_makes_a_group_of_its_provider_and_the_first_is_the_default() -> None:
    groups = discover_groups({"ANTHROPIC_API_KEY": "a", "XAI_API_KEY": "x", "OPENAI_API_KEY": ""})
    assert [found.group for found in groups.deployments] == ["anthropic", "xai", "local"]
    assert groups.default == "anthropic"


def test_a_url_of_ones_own_is_the_default_unless_another_is_named() -> None:
    environment = {"OPENAI_API_KEY": "o"}
    url = "http://127.0.0.1:11434/v1"
    assert (
        discover_groups(environment, model_url=url, model_name="llama3").find("").deployments[0].model
        == "openai/llama3"
    )
    assert discover_groups(environment, model_url=url, default="local").find("").deployments[0].local


def test_a_row_can_name_a_model_of_a_provider_whose_key_is_set() -> None:
    groups = discover_groups({"OPENAI_API_KEY": "sk-o"})
    (found,) = groups.find("openai/gpt-4.1").deployments
    assert found.model == "openai/gpt-4.1"
    assert found.api_key == SecretStr("sk-o")
    with pytest.raises(UnknownModel, match="there are openai, local"):
        groups.find("mistral/mistral-large-latest")


def test_keys_do_not_show() -> None:
    assert "sk-planted" not in repr(
        discover_groups({"OPENAI_API_KEY": "sk-planted"}, model_key=SecretStr("sk-planted"))
    )
