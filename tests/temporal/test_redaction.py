"""Values of secrets are taken out of texts, in the forms in which they usually leak."""

import base64
import json
import logging
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from temporal.client import PLAIN
from temporal.logs import RedactingFormatter
from temporal.redaction import MASK, PROCESS, Redaction

VALUE = 'pa"ss wörd/+&1'


@pytest.fixture
def redaction() -> Redaction:
    redaction = Redaction()
    redaction.remember(SecretStr(VALUE))
    return redaction


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        json.dumps(VALUE)[1:-1],
        quote(VALUE, safe=""),
        base64.b64encode(VALUE.encode()).decode(),
        VALUE.encode().hex(),
    ],
)
def test_a_value_is_found_in_the_forms_it_leaks_in(redaction: Redaction, form: str) -> None:
    told = redaction.redacted(f"before {form} after {form}")
    assert form.rstrip("=") not in told
    assert told.startswith(f"before {MASK}")


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_a_value_is_found_within_what_base64_made_of_a_longer_text(redaction: Redaction, before: str) -> None:
    told = redaction.redacted(base64.b64encode(f"{before}{VALUE}\n".encode()).decode())
    assert MASK in told
    assert len(told) <= len(MASK) + len(base64.b64encode(before.encode())) + 6


def test_texts_without_values_and_values_like_words_stay(redaction: Redaction) -> None:
    redaction.remember(SecretStr("true"))
    assert redaction.redacted("it is true that pa ss word is none") == "it is true that pa ss word is none"


def test_the_longer_of_two_values_is_masked_whole(redaction: Redaction) -> None:
    redaction.remember(SecretStr("sk-canary"))
    redaction.remember(SecretStr("sk-canary-long"))
    assert redaction.redacted("sk-canary-long sk-canary") == f"{MASK} {MASK}"


def test_a_line_of_a_long_value_is_found_by_itself(redaction: Redaction) -> None:
    redaction.remember(SecretStr("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n"))
    assert redaction.redacted("line 2: hkiG9w0BAQEFAASC") == f"line 2: {MASK}"


@pytest.mark.parametrize("kept", [4, 9, len(VALUE) - 1])
def test_the_beginning_of_a_value_where_a_text_was_cut_is_masked(redaction: Redaction, kept: int) -> None:
    assert redaction.redacted_cut(f"said {VALUE[:kept]}") == f"said {MASK}"


def test_json_is_redacted_with_its_keys(redaction: Redaction) -> None:
    assert redaction.redacted_values({VALUE: [VALUE, 1, None]}) == {MASK: [MASK, 1, None]}


def test_a_log_line_is_redacted_with_arguments_and_traceback(redaction: Redaction) -> None:
    formatter = RedactingFormatter(logging.Formatter("%(message)s"), redaction)
    with pytest.raises(ValueError, match="pa") as raised:
        int(VALUE)
    info = (raised.type, raised.value, raised.tb)
    told = formatter.format(logging.LogRecord("x", logging.ERROR, "x", 1, "with %s", (VALUE,), info))
    assert VALUE not in told
    assert told.count(MASK) >= 2
    assert "Traceback" in told


def test_a_failure_is_redacted_with_its_causes_and_details() -> None:
    value = "canary-of-failures-71"
    PROCESS.remember(SecretStr(value))
    error = ApplicationError(f"said {value}", {"answer": value}, type="X")
    error.__cause__ = ValueError(f"caused by {value}")
    failure = Failure()
    PLAIN.failure_converter.to_failure(error, PLAIN.payload_converter, failure)
    stored = failure.SerializeToString()
    assert value.encode() not in stored
    assert stored.count(MASK.encode()) == 3
    assert json.loads(failure.application_failure_info.details.payloads[0].data) == {"answer": MASK}
