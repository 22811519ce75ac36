"""A webhook is taken when it is genuine and fresh, and only then."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.notifications.signature import WebhookRejected, sign_webhook, verify_webhook

SECRET = b"correct horse"
BODY = b'{"title":"Done"}'
STAMP = 1_795_435_200
NOW = datetime.fromtimestamp(STAMP, UTC)
GOOD = sign_webhook(SECRET, STAMP, BODY)


def test_the_signature_is_the_one_the_documentation_describes() -> None:
    # printf '%s' '1795435200.{"title":"Done"}' | openssl dgst -sha256 -hmac 'correct horse'
    assert GOOD == "v1=ad71f4269f83412072964040cfb36a2ebd02269441eae44ad3647fb99f03d935"


@pytest.mark.parametrize(
    "headers",
    [
        {"Prism-Timestamp": str(STAMP), "Prism-Signature": GOOD},
        {"prism-timestamp": str(STAMP), "PRISM-SIGNATURE": GOOD},
        {"Prism-Timestamp": str(STAMP), "Prism-Signature": f"v1={'0' * 64}, {GOOD}"},  # while a secret is exchanged
    ],
)
def test_a_genuine_webhook_is_taken(headers: dict[str, str]) -> None:
    verify_webhook(SECRET, headers, BODY, now=NOW)


@pytest.mark.parametrize(
    ("headers", "body", "told"),
    [
        ({"Prism-Timestamp": str(STAMP), "Prism-Signature": GOOD}, BODY + b" ", "Prism-Signature"),
        ({"Prism-Timestamp": str(STAMP + 1), "Prism-Signature": GOOD}, BODY, "Prism-Signature"),
        ({"Prism-Timestamp": str(STAMP), "Prism-Signature": GOOD[:-1]}, BODY, "Prism-Signature"),
        ({"Prism-Timestamp": str(STAMP), "Prism-Signature": "v1=ü"}, BODY, "Prism-Signature"),
        ({"Prism-Timestamp": str(STAMP)}, BODY, "Prism-Signature"),
        ({"Prism-Signature": GOOD}, BODY, "Prism-Timestamp"),
        ({"Prism-Timestamp": "now", "Prism-Signature": GOOD}, BODY, "Prism-Timestamp"),
        ({"Prism-Timestamp": "9" * 5000, "Prism-Signature": GOOD}, BODY, "Prism-Timestamp"),
        ({"Prism-Timestamp": f"-{STAMP}", "Prism-Signature": GOOD}, BODY, "Prism-Timestamp"),
    ],
)
def test_anything_else_is_refused(headers: dict[str, str], body: bytes, told: str) -> None:
    with pytest.raises(WebhookRejected, match=told):
        verify_webhook(SECRET, headers, body, now=NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=5, seconds=1), -timedelta(minutes=5, seconds=1)])
def test_an_old_or_early_one_is_refused(off: timedelta) -> None:
    headers = {"Prism-Timestamp": str(STAMP), "Prism-Signature": GOOD}
    with pytest.raises(WebhookRejected, match="300 s are allowed"):
        verify_webhook(SECRET, headers, BODY, now=NOW + off)
    verify_webhook(SECRET, headers, BODY, timedelta(hours=1), now=NOW + off)


def test_another_secret_does_not_fit() -> None:
    headers = {"Prism-Timestamp": str(STAMP), "Prism-Signature": GOOD}
    with pytest.raises(WebhookRejected):
        verify_webhook(b"another", headers, BODY, now=NOW)
