"""JSON in a model's answer: finding it, and checking it against a schema in bounded time."""

import json
from collections.abc import Iterator
from typing import Any, Final

import jsonschema
import referencing.exceptions
import regex  # type: ignore[import-untyped]

from activities.verification.fences import fenced_blocks

REGEX_SECONDS: Final = 1.0
"""A pattern that needs longer on an answer backtracks without end."""
_SHOWN_FAULTS: Final = 3
# A model that is told its faults reads them all; a document that is all wrong has hundreds.
_REPAIRED_FAULTS: Final = 10
_FAULT_CHARS: Final = 300


class UndecidedError(Exception):
    """Code could not decide; the message says why."""


def document_of(output: str) -> object:
    """Return the JSON document of an answer: the whole, or its one fenced block.

    Raises:
        ValueError: There is none.
    """
    try:
        return _strict_json(output)
    except ValueError:
        blocks = fenced_blocks(output)
        tagged = [block for block in blocks if block.tag in {"json", "json5", "jsonc"}]
        candidates = tagged or blocks
        if not candidates:
            raise
    if len(candidates) > 1:
        raise ValueError(f"{len(candidates)} fenced blocks, expected one")
    return _strict_json(candidates[0].body)


def canonical(schema: dict[str, Any], output: str) -> tuple[str, list[str]]:
    """Return an answer's canonical JSON, empty where it does not fit the schema, and what is wrong with it."""
    try:
        document = document_of(output.strip())
        faults = schema_faults(schema, document, _REPAIRED_FAULTS)
    except ValueError as fault:
        return "", [f"it is not JSON: {fault}"[:_FAULT_CHARS]]
    except UndecidedError as fault:
        return "", [str(fault)[:_FAULT_CHARS]]
    if faults:
        return "", [fault[:_FAULT_CHARS] for fault in faults]
    # A lone surrogate has no UTF-8; as an escape it has.
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="backslashreplace").decode(), []


def _strict_json(text: str) -> object:
    try:
        document: object = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def schema_faults(schema: dict[str, Any] | bool, document: object, most: int = _SHOWN_FAULTS) -> list[str]:
    """Return where a document does not fit a schema, each with its place; empty when it fits.

    Args:
        schema: A JSON schema, draft 2020-12.
        document: Any JSON value.
        most: How many faults are told.

    Raises:
        UndecidedError: The schema cannot be used on the document.
    """
    try:
        faults: Iterator[Any] = _Validator(schema).iter_errors(document)
        return [f"{fault.json_path}: {fault.message}" for _, fault in zip(range(most), faults, strict=False)]
    except RecursionError:
        raise UndecidedError("the JSON Schema or the document is nested too deep") from None
    except referencing.exceptions.Unresolvable as fault:
        raise UndecidedError(f"the JSON Schema refers to what is not there: {fault}") from None


def _search(pattern: str, text: str) -> Any:  # noqa: ANN401 -- the regex module has no types
    """Return the first match, looking no longer than the limit."""
    try:
        return regex.search(pattern, text, timeout=REGEX_SECONDS)
    except TimeoutError:
        raise UndecidedError(f"the regular expression took longer than {REGEX_SECONDS:g} s on this output") from None
    except (regex.error, MemoryError, RecursionError, OverflowError, ValueError) as fault:
        raise UndecidedError(f"the regular expression cannot be used: {fault}") from None


def _schema_pattern(_: Any, pattern: str, instance: object, __: object) -> Iterator[jsonschema.ValidationError]:  # noqa: ANN401
    """Check ``pattern`` within the time limit: Python's own engine has none, and would hold the worker."""
    if isinstance(instance, str) and _search(pattern, instance) is None:
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _schema_pattern_properties(
    validator: Any,  # noqa: ANN401 -- made at run time
    patterns: dict[str, Any],
    instance: object,
    _: object,
) -> Iterator[jsonschema.ValidationError]:
    """Check ``patternProperties`` within the time limit."""
    if not isinstance(instance, dict):
        return
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            if _search(pattern, name) is not None:
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


_Validator: Final[Any] = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {"pattern": _schema_pattern, "patternProperties": _schema_pattern_properties},
)
