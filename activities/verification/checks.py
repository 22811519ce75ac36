"""Deciding a criterion by code."""

from collections.abc import Callable
from typing import Final

import regex  # type: ignore[import-untyped]

from activities.verification.contracts import Basis, Verdict
from activities.verification.documents import REGEX_SECONDS, UndecidedError, document_of, schema_faults
from catalogs.criteria import Criterion, Form, InvalidCriterion, parse_criterion

_SHOWN_CHARS: Final = 120


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
    except UndecidedError as fault:
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
        raise UndecidedError(f"the regular expression took longer than {REGEX_SECONDS:g} s on this output") from None
    except (regex.error, MemoryError, RecursionError) as fault:
        raise UndecidedError(f"the regular expression cannot be used: {fault}") from None
    if match is None:
        return False, f"nothing matches {_show(criterion.argument)}"
    return True, f"{_show(match[0])} matches on line {_line(output, match.start())}"


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
        document_of(output)
    except ValueError as fault:
        return False, f"it is not JSON: {fault}"
    return True, "it is JSON"


def _json_schema(criterion: Criterion, output: str) -> Finding:
    try:
        document = document_of(output)
    except ValueError as fault:
        return False, f"it is not JSON: {fault}"
    faults = schema_faults(criterion.schema_document, document)
    if faults:
        return False, _show("; ".join(faults), quoted=False)
    return True, "it fits the schema"


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
