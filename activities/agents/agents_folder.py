"""Reads agents from folders of YAML files, one agent a file, and tells every fault with its place."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict

import catalogs
from activities.agents.contracts import InvalidAgents
from activities.yaml_document import Fault, load_document
from catalogs.columns import near_misses
from catalogs.team import Agent, AgentLimits

SHIPPED: Final = Path(catalogs.__file__).parent / "agents"
_FIELDS: Final = frozenset(Agent.model_fields)
_LIMITS: Final = frozenset(AgentLimits.model_fields)


class _Written(Agent):
    """An agent as it is written: what it does not know, it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load_agents(own: Path | None = None, tools: Sequence[str] | None = None) -> dict[str, Agent]:
    """Return the agents that ship and those of a folder of one's own, by name; one's own go before those that ship.

    Args:
        own: The folder of one's own.
        tools: Names of the tools that they may name; ``None`` where nobody knows which there are.

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
            agent = _read(path, tools)
            found[agent.name] = agent
    return found


def _read(path: Path, tools: Sequence[str] | None) -> Agent:
    written = load_document(path, _Written, InvalidAgents, lambda value: _contradictions(value, tools))
    if written.name != path.stem:
        raise InvalidAgents(path, [f"line 1: name: {written.name!r} must be the name of its file, {path.stem!r}"])
    return Agent.model_validate(written.model_dump())


def _contradictions(value: Any, tools: Sequence[str] | None) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    limits = value.get("limits") if isinstance(value, dict) else None
    for name in limits if isinstance(limits, dict) else ():
        if name not in _LIMITS:
            yield ("limits", name), "Extra inputs are not permitted"
    named = value.get("tools") if isinstance(value, dict) else None
    for number, name in enumerate(named if isinstance(named, list) and tools is not None else ()):
        if isinstance(name, str) and name not in (tools or ()):
            near = near_misses(name, tools or ())
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = f"there are {', '.join(tools or ())}" if tools else "PRISM_TOOLS names no file of tools"
            yield ("tools", number), f"there is no tool {name[:100]!r}{hint or f': {known}'}"
