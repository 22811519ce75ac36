"""Deciding a criterion by code."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import jsonschema
import referencing.exceptions
import regex  # type: ignore[import-untyped]

from activities.verification.contracts import Basis, Verdict
from activities.verification.fences import fenced_blocks
from catalogs.criteria import Criterion, Form, InvalidCriterion, parse_criterion

REGEX_SECONDS: Final = 1.0
"""A pattern that needs longer on an answer backtracks without end."""
_SHOWN_CHARS: Final = 120
_SHOWN_FAULTS: Final = 3


class _UndecidedError(Exception):
    """Code could not decide; the message says why."""


Finding = tuple[bool, str]
"""Whether the criterion holds, and what was found."""


def check_all(criteria: tuple[str, ...], output: str) -> tuple[Verdict, ...]:
    """Check an output against criteria.

    Args:
        criteria: Criteria as written in the catalog.
        output: The text to check.

    Returns:
        One verdict per criterion, in their order.
    """
    return tuple(check(text, output) for text in criteria)


def check(text: str, output: str) -> Verdict:
    """Check an output against one criterion.

    Args:
        text: The criterion as written.
        output: The text to check.

    Returns:
        A verdict with basis *proven* where code decides, whatever the outcome; *unverified* for free text,
        and where code could not decide.
    """
    try:
        criterion = parse_criterion(text)
    except InvalidCriterion as fault:
        return _unverified(text, fault.message)
    decide = _DECIDERS.get(criterion.form)
    if decide is None:
        return _unverified(text, "free text: only a judging model or a person can decide it")
    try:
        passed, reason = decide(criterion, output.strip())
    except _UndecidedError as fault:
        return _unverified(text, str(fault))
    return Verdict(criterion=text, basis=Basis.PROVEN, passed=passed, reason=reason)


def _unverified(text: str, reason: str) -> Verdict:
    return Verdict(criterion=text, basis=Basis.UNVERIFIED, passed=None, reason=reason)


def _contains(criterion: Criterion, output: str) -> Finding:
    place = output.find(criterion.argument)
    if place < 0:
        return False, f"{_show(criterion.argument)} does not occur"
    return True, f"{_show(criterion.argument)} occurs on line {_line(output, place)}"


def _regex(criterion: Criterion, output: str) -> Finding:
    try:
        match = regex.search(criterion.argument, output, timeout=REGEX_SECONDS)
    except TimeoutError:
        raise _UndecidedError(f"the regular expression took longer than {REGEX_SECONDS:g} s on this output") from None
    except (regex.error, MemoryError, RecursionError) as fault:
        raise _UndecidedError(f"the regular expression cannot be used: {fault}") from None
    if match is None:
        return False, f"nothing matches {_show(criterion.argument)}"
    return True, f"{_show(match[0])} matches on line {_line(output, match.start())}"


def _search(pattern: str, text: str) -> Any:  # noqa: ANN401 -- the regex module has no types
    """Return the first match, looking no longer than the limit."""
    try:
        return regex.search(pattern, text, timeout=REGEX_SECONDS)
    except TimeoutError:
        raise _UndecidedError(f"the regular expression took longer than {REGEX_SECONDS:g} s on this output") from None
    except (regex.error, MemoryError, RecursionError, OverflowError, ValueError) as fault:
        raise _UndecidedError(f"the regular expression cannot be used: {fault}") from None


def _not(decide: Callable[[Criterion, str], Finding]) -> Callable[[Criterion, str], Finding]:
    def decide_opposite(criterion: Criterion, output: str) -> Finding:
        holds, reason = decide(criterion, output)
        return not holds, reason

    return decide_opposite


def _starts_with(criterion: Criterion, output: str) -> Finding:
    argument = criterion.argument
    return output.startswith(argument), f"it starts with {_show(output[: max(len(argument), 20)])}"


def _ends_with(criterion: Criterion, output: str) -> Finding:
    argument = criterion.argument
    return output.endswith(argument), f"it ends with {_show(output[-max(len(argument), 20) :])}"


def _equals(criterion: Criterion, output: str) -> Finding:
    if output == criterion.argument:
        return True, "it is equal"
    return False, f"expected {_show(criterion.argument)}, found {_show(output)}"


def _one_of(criterion: Criterion, output: str) -> Finding:
    return output in criterion.choices, f"found {_show(output)}"


def _counted(
    unit: str, count: Callable[[str], int], holds: Callable[[int, int], bool]
) -> Callable[[Criterion, str], Finding]:
    def decide(criterion: Criterion, output: str) -> Finding:
        found = count(output)
        return holds(found, criterion.number), f"found {found} {unit}, expected {criterion.text}"

    return decide


def _words(output: str) -> int:
    return len(output.split())


def _lines(output: str) -> int:
    """Count lines as an editor shows them; a text of nothing has none."""
    return len(output.replace("\r\n", "\n").replace("\r", "\n").split("\n")) if output else 0


def _at_least(found: int, wanted: int) -> bool:
    return found >= wanted


def _at_most(found: int, wanted: int) -> bool:
    return found <= wanted


def _exactly(found: int, wanted: int) -> bool:
    return found == wanted


def _json(_: Criterion, output: str) -> Finding:
    try:
        _document(output)
    except ValueError as fault:
        return False, f"it is not JSON: {fault}"
    return True, "it is JSON"


def _json_schema(criterion: Criterion, output: str) -> Finding:
    try:
        document = _document(output)
    except ValueError as fault:
        return False, f"it is not JSON: {fault}"
    validator = _Validator(criterion.schema_document)
    try:
        faults = [f"{fault.json_path}: {fault.message}" for fault in _first(validator, document)]
    except RecursionError:
        raise _UndecidedError("the JSON Schema or the document is nested too deep") from None
    except referencing.exceptions.Unresolvable as fault:
        raise _UndecidedError(f"the JSON Schema refers to what is not there: {fault}") from None
    if faults:
        return False, _show("; ".join(faults), quoted=False)
    return True, "it fits the schema"


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


def _first(validator: Any, document: object) -> list[Any]:  # noqa: ANN401 -- made at run time
    faults: Iterator[Any] = validator.iter_errors(document)
    return [fault for _, fault in zip(range(_SHOWN_FAULTS), faults, strict=False)]


def _document(output: str) -> object:
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


def _strict_json(text: str) -> object:
    try:
        document: object = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def _line(output: str, place: int) -> int:
    return output.count("\n", 0, place) + 1


def _show(text: str, *, quoted: bool = True) -> str:
    short = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
    return repr(short) if quoted else short


_DECIDERS: Final[dict[Form, Callable[[Criterion, str], Finding]]] = {
    Form.CONTAINS: _contains,
    Form.NOT_CONTAINS: _not(_contains),
    Form.REGEX: _regex,
    Form.NOT_REGEX: _not(_regex),
    Form.STARTS_WITH: _starts_with,
    Form.ENDS_WITH: _ends_with,
    Form.EQUALS: _equals,
    Form.ONE_OF: _one_of,
    Form.MIN_WORDS: _counted("words", _words, _at_least),
    Form.MAX_WORDS: _counted("words", _words, _at_most),
    Form.MIN_CHARS: _counted("characters", len, _at_least),
    Form.MAX_CHARS: _counted("characters", len, _at_most),
    Form.LINES: _counted("lines", _lines, _exactly),
    Form.MIN_LINES: _counted("lines", _lines, _at_least),
    Form.MAX_LINES: _counted("lines", _lines, _at_most),
    Form.JSON: _json,
    Form.JSON_SCHEMA: _json_schema,
}
