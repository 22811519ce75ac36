"""Writes an agent as the YAML file that defines it."""

from typing import Any, Final

import yaml

from catalogs.team import Agent

_WIDTH: Final = 120


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # the library has no types
    """Writes texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def agent_file(agent: Agent) -> str:
    """Return the content of ``<name>.yaml``; read again, it is the same agent."""
    told: dict[str, Any] = agent.model_dump(mode="json", exclude_defaults=True)
    written: str = yaml.dump(told, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return written
