"""Reads tools from YAML and tells every fault with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from activities.tools.contracts import InvalidTools
from activities.yaml_document import Fault, load_document
from catalogs.cells import BadCell
from catalogs.row import Language
from catalogs.schemas import object_schema, parse_object_schema
from catalogs.tools import Tool

# As OpenAI, Anthropic and Mistral take names of functions.
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Source = Annotated[str, Field(min_length=1, max_length=256 * 1024)]


class ToolRule(BaseModel):
    """A tool as people write it; see ``Tool``.

    Args:
        parameters: ``name:type`` fields separated by ``;``, or a JSON schema of an object; none takes nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Words
    parameters: Any = None
    language: Language
    code: Source


class ToolRules(BaseModel):
    """All tools of an installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tools: Annotated[dict[Name, ToolRule], Field(min_length=1)]


def load_tools(path: Path | None) -> tuple[Tool, ...]:
    """Return the tools of a file; without a file there are none.

    Raises:
        InvalidTools: It cannot be read, is not YAML, or does not say what tools say; every fault is told.
    """
    if path is None:
        return ()
    rules = load_document(path, ToolRules, InvalidTools, lambda _: _schema_faults(path))
    schemas = _schemas(path)
    return tuple(
        Tool(
            name=name,
            description=rule.description,
            parameters=_parameters(schemas.get(name)),
            language=rule.language,
            code=rule.code,
        )
        for name, rule in rules.tools.items()
    )


def _schema_faults(path: Path) -> Iterator[Fault]:
    for name, schema in _schemas(path).items():
        try:
            _parameters(schema)
        except BadCell as fault:
            yield ("tools", name, "parameters"), f"must be {fault.expected}"


def _parameters(written: object) -> dict[str, Any]:
    if written is None:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return parse_object_schema(written) if isinstance(written, str) else object_schema(written)


def _schemas(path: Path) -> dict[str, Any]:
    """Return the parameters of each tool as YAML types them: within a JSON schema, 1 is a number and true is true."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        raise InvalidTools(path, ["not YAML of plain values"]) from None
    tools = document.get("tools") if isinstance(document, dict) else None
    named = tools.items() if isinstance(tools, dict) else ()
    return {str(name): tool.get("parameters") for name, tool in named if isinstance(tool, dict)}
