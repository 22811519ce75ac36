"""Reads agents from folders of YAML files, one agent a file, and tells every fault with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

import catalogs
from activities.agents.contracts import InvalidAgents
from activities.yaml_document import Fault, load_document
from catalogs.team import Agent, AgentLimits

SHIPPED: Final = Path(catalogs.__file__).parent / "agents"
_FIELDS: Final = frozenset(Agent.model_fields)
_LIMITS: Final = frozenset(AgentLimits.model_fields)


class _Written(Agent):
    """An agent as it is written: what it does not know, it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load_agents(own: Path | None = None) -> dict[str, Agent]:
    """Return the agents that ship and those of a folder of one's own, by name; one's own go before those that ship.

    Raises:
        InvalidAgents: A file cannot be read, is not YAML, or says something else; every fault is told.
    """
    found: dict[str, Agent] = {}
    for folder in (SHIPPED, own):
        if folder is None:
            continue
        if not folder.is_dir():
            raise InvalidAgents(folder, ["there is no such folder"])
        for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
            agent = _read(path)
            found[agent.name] = agent
    return found


def _read(path: Path) -> Agent:
    written = load_document(path, _Written, InvalidAgents, _contradictions)
    if written.name != path.stem:
        raise InvalidAgents(path, [f"line 1: name: {written.name!r} must be the name of its file, {path.stem!r}"])
    return Agent.model_validate(written.model_dump())


def _contradictions(value: Any) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    limits = value.get("limits") if isinstance(value, dict) else None
    for name in limits if isinstance(limits, dict) else ():
        if name not in _LIMITS:
            yield ("limits", name), "Extra inputs are not permitted"
