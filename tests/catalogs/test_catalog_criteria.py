import pytest

from catalogs.criteria import Form, InvalidCriterion, near_form, parse_criterion
from catalogs.patterns import expanded_size


@pytest.mark.parametrize(
    ("text", "form", "argument"),
    [
        ("contains:EUR", Form.CONTAINS, "EUR"),
        ("  contains :  a: b  ", Form.CONTAINS, "a: b"),
        ("not_contains:TODO", Form.NOT_CONTAINS, "TODO"),
        (r"regex:^\d{4}-\d{2}$", Form.REGEX, r"^\d{4}-\d{2}$"),
        ("not_regex:[[]x", Form.NOT_REGEX, "[[]x"),
        ("max_words:400", Form.MAX_WORDS, "400"),
        ("lines: 3", Form.LINES, "3"),
        ("starts_with:#", Form.STARTS_WITH, "#"),
        ("json", Form.JSON, ""),
        ('json_schema:{"type":"object"}', Form.JSON_SCHEMA, '{"type":"object"}'),
        ("one_of:yes|no", Form.ONE_OF, "yes|no"),
        ("Names the counterparty", Form.FREE_TEXT, "Names the counterparty"),
        ("Contains: all figures", Form.FREE_TEXT, "Contains: all figures"),
        ("json: is what it returns", Form.FREE_TEXT, "json: is what it returns"),
        ("contains", Form.FREE_TEXT, "contains"),
        ("note: {braces} `ticks`", Form.FREE_TEXT, "note: {braces} `ticks`"),
    ],
)
def test_a_text_becomes_a_criterion(text: str, form: Form, argument: str) -> None:
    criterion = parse_criterion(text)
    assert (criterion.form, criterion.argument, criterion.text) == (form, argument, text.strip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("regex:(", "regular expression"),
        ("regex:a{99999999}", "repeats multiply"),
        ("regex:((a{300}){300}){300}", "repeats multiply"),
        ("regex:" + "a" * 3000, "at most 2000"),
        ("regex:", "text after 'regex:'"),
        ("max_words:many", "whole number"),
        ("max_words:-1", "whole number"),
        ("max_words:1.5", "whole number"),
        ("min_chars:٣", "whole number"),
        ("one_of:a||b", "alternatives"),
        ("json_schema:{", "not JSON"),
        ("json_schema:[]", "object"),
        ('json_schema:{"type":"strin"}', "JSON Schema"),
        ("json_schema:" + "[" * 100_000, "JSON Schema"),
        ('json_schema:{"$ref":"https://example.org/s.json"}', "remote references"),
    ],
)
def test_a_malformed_argument_is_explained(text: str, expected: str) -> None:
    with pytest.raises(InvalidCriterion, match=expected) as caught:
        parse_criterion(text)
    assert len(caught.value.message) < 1000


def test_typed_arguments() -> None:
    assert parse_criterion("max_words: 12").number == 12
    assert parse_criterion("one_of: yes | no").choices == ("yes", "no")
    assert parse_criterion('json_schema:{"type":"string"}').schema_document == {"type": "string"}


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("max_word: 5", "max_words"),
        ("Contains: x", "contains"),
        ("max words: 5", "max_words"),
        ("regexp:^a", "regex"),
        ("Summary: it is short", None),
        ("no colon here", None),
    ],
)
def test_a_free_text_that_nearly_names_a_form_is_noticed(text: str, near: str | None) -> None:
    assert near_form(text) == near


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("abc", 3),
        ("a{10}", 10),
        ("(ab){10}", 30),
        (r"\d{4}-\d{2}", 7),
        (r"[a{9}]{3}", 3),
        ("(?:a{2,5}){3}", 18),
    ],
)
def test_counted_repeats_multiply(pattern: str, size: int) -> None:
    assert expanded_size(pattern) == size
