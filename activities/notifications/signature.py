"""Signs webhooks, and verifies them for those who receive them. Needs nothing but the standard library.

A receiver checks the headers before it parses the body::

    verify_webhook(secret, request.headers, request.body)
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from temporal.errors import PrismError
from temporal.names import ErrorCode

TIMESTAMP_HEADER: Final = "Prism-Timestamp"
SIGNATURE_HEADER: Final = "Prism-Signature"
IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
SCHEME: Final = "v1"
# Long enough for clocks that differ, short enough that a recorded request is soon of no use.
TOLERANCE: Final = timedelta(minutes=5)
# More than any clock shows would only cost time.
_LONGEST_STAMP: Final = 12


class WebhookRejected(PrismError):
    """A request is not a webhook that the holder of the secret has just sent."""

    code = ErrorCode.UNAUTHENTICATED


def sign_webhook(secret: bytes, timestamp: int, body: bytes) -> str:
    """Return the value of ``Prism-Signature``.

    Args:
        secret: What sender and receiver share.
        timestamp: Value of ``Prism-Timestamp``, seconds since 1970.
        body: The body as it is sent.
    """
    signed = f"{timestamp}.".encode() + body
    return f"{SCHEME}={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def verify_webhook(
    secret: bytes,
    headers: Mapping[str, str],
    body: bytes,
    tolerance: timedelta = TOLERANCE,
    *,
    now: datetime | None = None,
) -> None:
    """Check that a request was signed with the secret, and recently.

    Repetitions are genuine: a receiver that must act once keeps the ``Idempotency-Key`` of what it has done.

    Args:
        secret: What sender and receiver share.
        headers: The request's headers, in any case.
        body: Its body, byte for byte as it came.
        tolerance: How much the clocks may differ.
        now: The receiver's time, where it is not the machine's.

    Raises:
        WebhookRejected: The request is not genuine, or too old.
    """
    found = {name.lower(): value for name, value in headers.items()}
    stamp = found.get(TIMESTAMP_HEADER.lower(), "").strip()
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP):
        raise WebhookRejected(f"{TIMESTAMP_HEADER} is missing or no number of seconds")
    expected = sign_webhook(secret, int(stamp), body).encode()
    offered = found.get(SIGNATURE_HEADER.lower(), "").split(",")
    # Every one is compared, and in constant time, so that a forger learns nothing from how long it takes.
    matches = [hmac.compare_digest(expected, one.strip().encode()) for one in offered]
    if not any(matches):
        raise WebhookRejected(f"{SIGNATURE_HEADER} does not fit this body and secret")
    age = (now or datetime.now(UTC)).timestamp() - int(stamp)
    if abs(age) > tolerance.total_seconds():
        raise WebhookRejected(f"{TIMESTAMP_HEADER} is {age:.0f} s off; {tolerance.total_seconds():.0f} s are allowed")
