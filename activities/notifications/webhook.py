"""Signed webhooks over HTTP."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Protocol, Self

import httpx
from pydantic import SecretStr

from activities.notifications.contracts import DeliveryState, Message, Receipt
from activities.notifications.schedule import parse_retry_after
from activities.notifications.signature import (
    IDEMPOTENCY_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    sign_webhook,
)
from temporal.errors import PrismError

TIMEOUT_SECONDS: Final = 10.0
# Those a repetition may mend: timed out, too early, too many requests.
_PASSING: Final = {408, 425, 429}


class Signing(Protocol):
    """What signs, where that changes while the process runs."""

    async def secrets(self) -> tuple[SecretStr, ...]:
        """Return the secrets that sign now.

        Raises:
            PrismError: They cannot be read.
        """
        ...


class WebhookChannel:
    """Posts messages as signed JSON; follows no redirects and checks certificates.

    Args:
        url: Where to.
        secret: What signs; several sign during a rotation, and one signature is enough for the receiver.
        timeout: Seconds for one attempt as a whole.
        clock: What time it is.

    Raises:
        ValueError: The URL is none, or would send in the clear to another machine; the text does not hold it.
    """

    def __init__(
        self,
        url: SecretStr,
        secret: SecretStr | Signing,
        timeout: float = TIMEOUT_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        _check(url)
        self._url = url
        self._secret = secret
        self._timeout = timeout
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        # These write URLs into the log, and a webhook's URL is often all that protects it.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(timeout=self._timeout, follow_redirects=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def send(self, message: Message) -> Receipt:
        """Post a message once."""
        if self._client is None:
            raise RuntimeError("a webhook channel is used within its context")
        body = webhook_body(message)
        now = self._clock()
        try:
            secrets = (self._secret,) if isinstance(self._secret, SecretStr) else await self._secret.secrets()
        except PrismError as error:
            return Receipt(state=DeliveryState.QUEUED, error=error.message)
        stamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "prism-console",
            IDEMPOTENCY_HEADER: message.id,
            TIMESTAMP_HEADER: str(stamp),
            SIGNATURE_HEADER: ",".join(sign_webhook(one.get_secret_value().encode(), stamp, body) for one in secrets),
        }
        url = self._url.get_secret_value()
        try:
            # httpx limits each phase; a receiver that drips is cut off here. What it answers is not read.
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", url, content=body, headers=headers) as response,
            ):
                return receipt(response.status_code, response.headers.get("Retry-After"), now)
        except (TimeoutError, httpx.TimeoutException):
            return Receipt(state=DeliveryState.QUEUED, error=f"no answer within {self._timeout:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error's own text may hold the URL.
            return Receipt(state=DeliveryState.QUEUED, error=f"no answer: {type(error).__name__}")


def _check(url: SecretStr) -> None:
    try:
        parsed = httpx.URL(url.get_secret_value())
    except httpx.InvalidURL:
        raise ValueError("is no URL") from None
    if parsed.scheme == "https" and parsed.host:
        return
    if parsed.scheme != "http" or not _this_machine(parsed.host):
        raise ValueError("must begin with https:// (http:// only to this machine)")


def _this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def webhook_body(message: Message) -> bytes:
    """Return the JSON of a message, the same bytes for the same message at every attempt."""
    document = {
        "id": message.id,
        "severity": message.severity.value,
        "title": message.title,
        "notifications": [item.model_dump(mode="json") for item in message.items],
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def receipt(status: int, retry_after: str | None, now: datetime) -> Receipt:
    """Return what an HTTP status means for the delivery.

    Args:
        status: The status.
        retry_after: The header of that name.
        now: The moment it came.
    """
    if 200 <= status < 300:  # noqa: PLR2004 -- HTTP's own classes
        return Receipt(state=DeliveryState.DELIVERED)
    if 300 <= status < 400:  # noqa: PLR2004
        return Receipt(
            state=DeliveryState.FAILED, error=f"HTTP {status}: the receiver moved, and redirects are not followed"
        )
    if 400 <= status < 500 and status not in _PASSING:  # noqa: PLR2004
        return Receipt(state=DeliveryState.FAILED, error=f"HTTP {status}")
    pause = parse_retry_after(retry_after, now)
    return Receipt(state=DeliveryState.QUEUED, error=f"HTTP {status}", retry_after=pause)
