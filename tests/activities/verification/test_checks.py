"""Each form of criterion holds where it should, fails where it should, and says what was found."""

import time
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifacts.contracts import Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.verification.activity import VerificationActivities
from activities.verification.checks import _DECIDERS, check, check_all
from activities.verification.contracts import Basis, VerificationRequest
from catalogs.criteria import Form
from temporal.contract import StepRef

SCHEMA = '{"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}'


@pytest.mark.parametrize(
    ("criterion", "output", "passed", "reason"),
    [
        ("contains: world", "hello\nworld", True, "line 2"),
        ("contains: World", "hello world", False, "does not occur"),
        ("not_contains: TODO", "done", True, "does not occur"),
        ("not_contains: TODO", "a\nTODO", False, "line 2"),
        (r"regex: ^\d{3}$", "123", True, "matches on line 1"),
        (r"regex: ^\d{3}$", "12", False, "nothing matches"),
        ("not_regex: [A-Z]", "abc", True, "nothing matches"),
        ("not_regex: [A-Z]", "aBc", False, "'B' matches"),
        ("starts_with: Dear", "  Dear Ada", True, "Dear Ada"),
        ("starts_with: Dear", "Hi", False, "'Hi'"),
        ("ends_with: Bye.", "So long. Bye.\n", True, "Bye."),
        ("ends_with: Bye.", "Bye", False, "'Bye'"),
        ("equals: 42", " 42\n", True, "equal"),
        ("equals: 42", "43", False, "expected '42', found '43'"),
        ("one_of: red | green", "green", True, "'green'"),
        ("one_of: red | green", "blue", False, "'blue'"),
        ("min_words: 2", "one two", True, "found 2 words"),
        ("min_words: 2", "one", False, "found 1 words"),
        ("max_words: 2", "one two three", False, "found 3 words"),
        ("max_words: 2", "", True, "found 0 words"),
        ("min_chars: 3", "abc", True, "found 3 characters"),
        ("max_chars: 3", "äöüß", False, "found 4 characters"),
        ("lines: 2", "a\nb\n", True, "found 2 lines"),
        ("lines: 2", "a\r\nb\r\nc", False, "found 3 lines"),
        ("min_lines: 1", "", False, "found 0 lines"),
        ("max_lines: 1", "a", True, "found 1 lines"),
        ("json", '{"a": [1, 2]}', True, "JSON"),
        ("json", 'Here you are:\n```json\n{"a": 1}\n```\nDone.', True, "JSON"),
        ("json", "```\n[1]\n```", True, "JSON"),
        ("json", "not json", False, "not JSON"),
        ("json", "{'a': 1}", False, "not JSON"),
        ("json", '{"a": NaN}', False, "NaN"),
        ("json", "```json\n1\n```\n```json\n2\n```", False, "2 fenced blocks"),
        ("json", "[" * 100_000, False, "not JSON"),
        (f"json_schema: {SCHEMA}", '```json\n{"name": "Ada"}\n```', True, "fits"),
        (f"json_schema: {SCHEMA}", '{"name": 7}', False, "$.name: 7 is not of type 'string'"),
        (f"json_schema: {SCHEMA}", "{}", False, "'name' is a required property"),
        (f"json_schema: {SCHEMA}", "prose", False, "not JSON"),
    ],
)  # fmt: skip
def test_code_decides_and_says_what_it_found(criterion: str, output: str, passed: bool, reason: str) -> None:
    verdict = check(criterion, output)
    assert (verdict.basis, verdict.passed, verdict.criterion) == (Basis.PROVEN, passed, criterion)
    assert reason in verdict.reason


def test_every_form_but_free_text_is_decided_by_code() -> None:
    assert set(Form) - set(_DECIDERS) == {Form.FREE_TEXT}


@pytest.mark.parametrize(
    ("criterion", "why"),
    [
        ("names the counterparty", "free text"),
        ("max_words: many", "cannot be checked"),
        ('json_schema: {"$ref": "#/nowhere"}', "not there"),
    ],
)
def test_what_code_cannot_decide_is_unverified(criterion: str, why: str) -> None:
    verdict = check(criterion, "{}")
    assert (verdict.basis, verdict.passed) == (Basis.UNVERIFIED, None)
    assert why in verdict.reason


@pytest.mark.parametrize("form", ["regex", "not_regex"])
def test_a_pattern_that_backtracks_without_end_is_stopped_and_not_counted_as_passed(form: str) -> None:
    begin = time.monotonic()
    verdict = check(form + r": ^(\w+\s?)*\d{5}$(?<=(x+x+)+y)|^(a|aa)+$", "a" * 60 + "!" + " word" * 5_000)
    assert time.monotonic() - begin < 5
    if verdict.basis is Basis.UNVERIFIED:
        assert "took longer" in verdict.reason


def test_a_pattern_that_cannot_end_is_unverified() -> None:
    verdict = check(r"regex: ^(a|aa|aaa)+$", "a" * 5_000 + "!")
    assert verdict.basis is Basis.UNVERIFIED
    assert "took longer than 1 s" in verdict.reason


@pytest.mark.parametrize(
    "schema",
    [
        '{"type": "string", "pattern": "^(a|aa|aaa)+$"}',
        '{"type": "string", "allOf": [{"pattern": "^(a|aa|aaa)+$"}]}',
    ],
)
def test_a_pattern_within_a_schema_is_stopped_too(schema: str) -> None:
    verdict = check(f"json_schema: {schema}", '"' + "a" * 5_000 + '!"')
    assert verdict.basis is Basis.UNVERIFIED
    assert "took longer" in verdict.reason


def test_patterns_within_a_schema_are_checked() -> None:
    schema = 'json_schema: {"patternProperties": {"^n": {"type": "number"}, "^s": {"pattern": "^x"}}}'
    assert check(schema, '{"n1": 1, "s1": "xy", "other": null}').passed
    assert "$.n1: 'a' is not of type 'number'" in check(schema, '{"n1": "a"}').reason
    assert "does not match" in check(schema, '{"s1": "y"}').reason


def test_verdicts_stand_in_the_order_of_the_criteria() -> None:
    verdicts = check_all(("contains: a", "is nice", "max_words: 1"), "a b")
    assert [verdict.passed for verdict in verdicts] == [True, None, False]


async def test_the_activity_reads_large_outputs_by_reference(tmp_path: Path) -> None:
    texts = Texts(FolderArtifactStore(tmp_path), inline_limit=8)
    request = VerificationRequest(
        step=StepRef(run="r", row="1", step="verification"),
        criteria=("min_words: 1000", "is polite"),
        output=await texts.pack("word " * 1_000),
    )
    result = await ActivityEnvironment().run(VerificationActivities(texts).verify, request)
    assert [verdict.basis for verdict in result.verdicts] == [Basis.PROVEN, Basis.UNVERIFIED]
    assert result.verdicts[0].passed
