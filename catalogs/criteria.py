"""Acceptance criteria: which of them code can decide, and whether they are written well.

A criterion is ``form:argument``. A text that begins with no known form is free text, which only a judging
model or a person can decide.
"""

import difflib
import json
import re
from enum import StrEnum
from typing import Any, Final

import regex  # type: ignore[import-untyped]

from catalogs.patterns import expanded_size
from catalogs.schemas import schema_fault
from temporal.contract import Contract
from temporal.errors import PrismError
from temporal.names import ErrorCode

MAX_PATTERN_CHARS: Final = 2_000
MAX_PATTERN_SIZE: Final = 50_000
_LOOKS_LIKE_FORM: Final = re.compile(r"([A-Za-z]+(?:[_ -][A-Za-z]+){0,2})\s*:")


class Form(StrEnum):
    """How a criterion is decided; all comparisons respect case, after the output is stripped."""

    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    REGEX = "regex"
    NOT_REGEX = "not_regex"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    EQUALS = "equals"
    ONE_OF = "one_of"
    MIN_WORDS = "min_words"
    MAX_WORDS = "max_words"
    MIN_CHARS = "min_chars"
    MAX_CHARS = "max_chars"
    LINES = "lines"
    MIN_LINES = "min_lines"
    MAX_LINES = "max_lines"
    JSON = "json"
    JSON_SCHEMA = "json_schema"
    FREE_TEXT = "free_text"


COUNTED: Final = frozenset(
    {
        Form.MIN_WORDS,
        Form.MAX_WORDS,
        Form.MIN_CHARS,
        Form.MAX_CHARS,
        Form.LINES,
        Form.MIN_LINES,
        Form.MAX_LINES,
    }
)
_NAMES: Final = {form.value: form for form in Form if form is not Form.FREE_TEXT}


class InvalidCriterion(PrismError):
    """A criterion names a form of check, but its argument cannot be used."""

    code = ErrorCode.INVALID_CRITERION


class Criterion(Contract):
    """One criterion, understood.

    Args:
        text: The criterion as written.
        form: How it is decided.
        argument: What follows the form's colon, stripped; the whole text for free text.
    """

    text: str
    form: Form
    argument: str = ""

    @property
    def number(self) -> int:
        """The argument of a counted form (words, characters, lines)."""
        return int(self.argument)

    @property
    def choices(self) -> tuple[str, ...]:
        """The alternatives of ``one_of``."""
        return tuple(choice.strip() for choice in self.argument.split("|"))

    @property
    def schema_document(self) -> dict[str, Any] | bool:
        """The JSON Schema of ``json_schema``."""
        document: dict[str, Any] | bool = json.loads(self.argument)
        return document


def parse_criterion(text: str) -> Criterion:
    """Return the criterion a text stands for.

    Args:
        text: One criterion, such as ``max_words: 200`` or ``names the counterparty``.

    Raises:
        InvalidCriterion: The text begins with a known form whose argument is malformed.
    """
    stripped = text.strip()
    name, colon, rest = stripped.partition(":")
    form = _NAMES.get(name.strip())
    if form is None or (form is Form.JSON) == bool(colon):
        return Criterion(text=stripped, form=Form.FREE_TEXT, argument=stripped)
    criterion = Criterion(text=stripped, form=form, argument=rest.strip())
    _check(criterion)
    return criterion


def near_form(text: str) -> str | None:
    """Return the form that a free text nearly names, as ``max_words`` for ``max_word: 5``."""
    match = _LOOKS_LIKE_FORM.match(text.strip())
    if match is None:
        return None
    name = match[1].lower().replace(" ", "_").replace("-", "_")
    close = difflib.get_close_matches(name, [*_NAMES], n=1, cutoff=0.8)
    return close[0] if close else None


def _check(criterion: Criterion) -> None:
    argument = criterion.argument
    if criterion.form is Form.JSON:
        return
    if not argument:
        raise _invalid(criterion, f"text after '{criterion.form}:'")
    if criterion.form in COUNTED:
        if not re.fullmatch(r"[0-9]{1,9}", argument):
            raise _invalid(criterion, "a whole number such as 200")
    elif criterion.form is Form.ONE_OF:
        if not all(criterion.choices):
            raise _invalid(criterion, "alternatives separated by '|', none of them empty")
    elif criterion.form in {Form.REGEX, Form.NOT_REGEX}:
        _check_pattern(criterion)
    elif criterion.form is Form.JSON_SCHEMA:
        _check_schema(criterion)


def _check_pattern(criterion: Criterion) -> None:
    pattern = criterion.argument
    if len(pattern) > MAX_PATTERN_CHARS:
        raise _invalid(criterion, f"a regular expression of at most {MAX_PATTERN_CHARS} characters")
    if expanded_size(pattern) > MAX_PATTERN_SIZE:
        raise _invalid(criterion, f"a regular expression whose repeats multiply to {MAX_PATTERN_SIZE} or less")
    try:
        regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, ValueError) as fault:
        raise _invalid(criterion, f"a regular expression ({fault})") from fault


def _check_schema(criterion: Criterion) -> None:
    try:
        fault = schema_fault(json.loads(criterion.argument))
    except json.JSONDecodeError as error:
        raise _invalid(criterion, f"a JSON Schema (not JSON: {error})") from error
    except RecursionError as error:
        raise _invalid(criterion, "a JSON Schema that is not nested so deep") from error
    if fault:
        raise _invalid(criterion, fault)


def _invalid(criterion: Criterion, expected: str) -> InvalidCriterion:
    shown = criterion.text if len(criterion.text) <= 200 else criterion.text[:197] + "..."  # noqa: PLR2004
    return InvalidCriterion(
        f"criterion {shown!r} cannot be checked: expected {expected}", found=shown, expected=expected
    )
