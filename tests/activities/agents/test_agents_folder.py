"""Agents are YAML files: those that ship, and those of a folder of one's own."""

from pathlib import Path

import pytest

from activities.agents.agents_folder import load_agents
from activities.agents.contracts import InvalidAgents


def test_agents_of_ones_own_go_before_those_that_ship(tmp_path: Path) -> None:
    own = "name: critic\nversion: 7\nsystem: Be kind.\nlimits: {max_tokens: 50}\n"
    (tmp_path / "critic.yaml").write_text(own)
    agents = load_agents(tmp_path)
    assert (agents["critic"].label, agents["critic"].limits.max_tokens) == ("critic@7", 50)
    assert agents["critic"].digest != load_agents()["critic"].digest
    assert {"writer", "editor", "judge", "moderator"} <= set(agents)


def test_everything_wrong_with_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: Mine!\nmodle: fast\nlimits: {context_tokens: 3, speed: 1}\n")
    with pytest.raises(InvalidAgents) as refused:
        load_agents(tmp_path)
    told = refused.value.message
    for place in ("line 1: name", "line 2: modle", "line 3: limits.context_tokens", "line 3: limits.speed", "system"):
        assert place in told


def test_an_agent_bears_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: yours\nsystem: Be.\n")
    with pytest.raises(InvalidAgents, match="must be the name of its file"):
        load_agents(tmp_path)
