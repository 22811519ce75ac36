"""JSON schemas that people write: whether one can be used, and the short form that fits a cell."""

import json
from typing import Any, Final

from catalogs.cells import BadCell
from catalogs.forms import fields_schema

MAX_SCHEMA_CHARS: Final = 20_000
_EXPECTED: Final = "fields such as city:text; people:integer; note?:text, or a JSON schema of an object"


def parse_object_schema(text: str) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of an object, from a cell.

    Args:
        text: ``name:type`` fields separated by ``;``, as forms have them, or a JSON schema.

    Raises:
        BadCell: It is neither, or cannot be used.
    """
    stripped = text.strip()
    if not stripped.startswith("{"):
        return {**fields_schema(stripped, _EXPECTED), "additionalProperties": False}
    if len(stripped) > MAX_SCHEMA_CHARS:
        raise BadCell(f"a JSON schema of at most {MAX_SCHEMA_CHARS} characters")
    try:
        schema = json.loads(stripped)
    except (ValueError, RecursionError) as fault:
        raise BadCell(f"{_EXPECTED} (not JSON: {fault})") from None
    return object_schema(schema)


def object_schema(schema: object) -> dict[str, Any]:
    """Return a JSON schema that is one of an object: models answer with objects, and tools take them.

    Raises:
        BadCell: It is none, or cannot be used.
    """
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise BadCell('a JSON schema of an object: its "type" is "object"')
    if fault := schema_fault(schema):
        raise BadCell(fault)
    return schema


def schema_fault(schema: object) -> str:
    """Return what would have been a JSON schema in place of this; empty where it is one that can be used."""
    # Not at the top: it compiles a grammar of addresses for seconds, and few catalogs hold a schema.
    import jsonschema  # noqa: PLC0415 -- see above

    if not isinstance(schema, dict | bool):
        return "a JSON Schema, which is an object"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        remote = _remote_reference(schema)
    except jsonschema.SchemaError as fault:
        return f"a JSON Schema ({fault.message})"
    except (RecursionError, ValueError):
        return "a JSON Schema that is not nested so deep"
    return f"a JSON Schema without remote references such as {remote!r}" if remote else ""


def _remote_reference(schema: object) -> str | None:
    """Return the first ``$ref`` that leaves the document: a check never reaches for the network."""
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            for key in ("$ref", "$dynamicRef"):
                target = node.get(key)
                if isinstance(target, str) and not target.startswith("#"):
                    return target
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return None
