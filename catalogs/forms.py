"""Forms that a reviewer fills in: a flat JSON schema, and the short form that fits a cell."""

import json
import re
from typing import Any, Final

from catalogs.cells import BadCell

Form = dict[str, Any]

TYPES: Final = ("string", "number", "integer", "boolean")
MAX_FIELDS: Final = 50
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_SHORT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,59})(\?)?\s*:\s*(\S.*)")
_ALIASES: Final = {"text": "string", "yes/no": "boolean", "whole": "integer"}
_KEYWORDS: Final = {"type", "title", "description", "enum", "default", "minimum", "maximum", "minLength", "maxLength"}
_EXPECTED: Final = (
    "fields such as ratio:number; currency:EUR|USD; note?:text, or a JSON schema of an object whose properties are "
    "string, number, integer or boolean"
)


def parse_form(text: str) -> Form:
    """Return the form of a cell as a JSON schema (draft 2020-12) of a flat object.

    Args:
        text: ``name:type`` fields separated by ``;`` (``?`` after a name makes it optional, ``a|b`` lists choices), or
            a JSON schema.

    Raises:
        BadCell: It is neither.
    """
    stripped = text.strip()
    form = _from_json(stripped) if stripped.startswith("{") else fields_schema(stripped)
    properties = form["properties"]
    if not properties or len(properties) > MAX_FIELDS:
        raise BadCell(f"1 to {MAX_FIELDS} fields: {_EXPECTED}")
    for name, schema in properties.items():
        if not _NAME.fullmatch(name) or not _is_field(schema):
            raise BadCell(f"{_EXPECTED}; {name!r} is none")
    if not set(form["required"]) <= set(properties):
        raise BadCell("required fields that are among the properties")
    return form


def form_faults(form: Form, answers: dict[str, Any]) -> list[str]:
    """Return what is wrong with the answers to a form, each field with what was expected; empty when nothing is.

    Pure and small, as workflows check with it: every way in is held to the same form.
    """
    properties = form["properties"]
    faults = [f"{name}: the form has no such field" for name in answers if name not in properties]
    for name, schema in properties.items():
        if name not in answers:
            if name in form["required"]:
                faults.append(f"{name}: an answer is required")
        elif fault := _fault(schema, answers[name]):
            faults.append(f"{name}: {fault}")
    return faults


def fields_schema(text: str, expected: str = _EXPECTED) -> Form:
    """Return the JSON schema of ``name:type`` fields.

    Args:
        text: The fields, separated by ``;``.
        expected: What is told where they are none.

    Raises:
        BadCell: They are none.
    """
    properties: dict[str, Any] = {}
    required = []
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        match = _SHORT.fullmatch(part)
        if match is None or match[1] in properties:
            raise BadCell(expected)
        name, optional, kind = match[1], match[2], match[3].strip()
        properties[name] = _field(kind, expected)
        if not optional:
            required.append(name)
    if not 0 < len(properties) <= MAX_FIELDS:
        raise BadCell(f"1 to {MAX_FIELDS} fields: {expected}")
    return {"type": "object", "properties": properties, "required": required}


def _field(kind: str, expected: str) -> dict[str, Any]:
    if "|" in kind:
        choices = [choice.strip() for choice in kind.split("|")]
        if not all(choices) or len(set(choices)) != len(choices):
            raise BadCell("choices such as EUR|USD, each once")
        return {"type": "string", "enum": choices}
    named = _ALIASES.get(kind.lower(), kind.lower())
    if named not in TYPES:
        raise BadCell(expected)
    return {"type": named}


def _from_json(text: str) -> Form:
    try:
        schema = json.loads(text)
    except ValueError:
        raise BadCell(_EXPECTED) from None
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise BadCell(_EXPECTED)
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise BadCell("a list of names under required")
    return {"type": "object", "properties": schema["properties"], "required": required}


def _is_field(schema: Any) -> bool:  # noqa: ANN401 -- any JSON value
    if not isinstance(schema, dict) or schema.get("type") not in TYPES or not set(schema) <= _KEYWORDS:
        return False
    choices = schema.get("enum", [None])
    bounds = [schema.get(name, 0) for name in ("minimum", "maximum", "minLength", "maxLength")]
    texts = [schema.get(name, "") for name in ("title", "description")]
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds)
        and all(isinstance(one, str) for one in texts)
    )


def _fault(schema: dict[str, Any], value: Any) -> str:  # noqa: ANN401 -- any JSON value
    kind = schema["type"]
    if not _is_of(kind, value):
        return f"found {json.dumps(value)[:80]}, expected {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"found {json.dumps(value)[:80]}, expected one of {', '.join(map(str, schema['enum']))}"
    size = len(value) if isinstance(value, str) else value
    least, most = ("minLength", "maxLength") if isinstance(value, str) else ("minimum", "maximum")
    if least in schema and size < schema[least]:
        return f"expected at least {schema[least]}"
    if most in schema and size > schema[most]:
        return f"expected at most {schema[most]}"
    return ""


def _is_of(kind: str, value: Any) -> bool:  # noqa: ANN401 -- any JSON value
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    # JSON schema counts 2.0 as an integer.
    return isinstance(value, int) or (isinstance(value, float) and (kind == "number" or value.is_integer()))
