"""How a provider's failure is told: retry or not, when, and without the key."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from pydantic import SecretStr

from activities.llm.contracts import ModelRefused, ModelUnavailable
from activities.llm.groups import Deployment
from activities.llm.provider_faults import provider_fault

DEPLOYMENT = Deployment(group="g", model="openai/m", api_key=SecretStr("sk-planted"))


class VendorError(Exception):
    """What litellm raises, as far as it is looked at."""

    def __init__(self, message: str = "no", status: int = 429, after: str | None = None) -> None:
        super().__init__(message)
        self.status_code = status
        self.litellm_response_headers = httpx.Headers({} if after is None else {"retry-after": after})


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("1", 1.0),
        ("0.5", 0.5),
        ("86400", 900.0),
        ("9" * 18, 900.0),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_handed_on_within_reason(after: str, seconds: float | None) -> None:
    assert provider_fault(VendorError(after=after), DEPLOYMENT).details.get("retry_after") == seconds


def test_a_wait_may_be_a_date() -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=60), usegmt=True)
    assert 50 < provider_fault(VendorError(after=late), DEPLOYMENT).details["retry_after"] <= 60
    assert "retry_after" not in provider_fault(VendorError(after=past), DEPLOYMENT).details


@pytest.mark.parametrize("status", [301, 308, 400, 402, 405, 410, 413, 415, 422, 451])
def test_what_we_got_wrong_is_not_asked_again(status: int) -> None:
    assert isinstance(provider_fault(VendorError(status=status), DEPLOYMENT), ModelRefused)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503, 529, 599])
def test_what_time_can_heal_is_asked_again(status: int) -> None:
    assert isinstance(provider_fault(VendorError(status=status), DEPLOYMENT), ModelUnavailable)


def test_a_message_holds_no_key_and_has_an_end() -> None:
    fault = provider_fault(VendorError("bad key sk-planted " + "x" * 10_000), DEPLOYMENT)
    assert "sk-planted" not in fault.message
    assert len(fault.message) < 600
