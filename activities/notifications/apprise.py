"""Mail, chat and SMS by the library apprise."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import apprise
from pydantic import SecretStr

from activities.notifications.contracts import DeliveryState, Message, Receipt, Severity

TIMEOUT_SECONDS: Final = 10.0
_TYPES: Final = {
    Severity.INFO: apprise.NotifyType.INFO,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.ERROR: apprise.NotifyType.FAILURE,
}


class AppriseChannel:
    """Sends messages to whatever an apprise URL names.

    Args:
        url: The URL; holds the receiver's password or token.
        threads: Where the blocking library runs. Not the event loop's own pool: services that hang would keep the
            database waiting.
        timeout: Seconds for one attempt as a whole.

    Raises:
        ValueError: apprise does not understand the URL.
    """

    def __init__(self, url: SecretStr, threads: ThreadPoolExecutor, timeout: float = TIMEOUT_SECONDS) -> None:
        for name in ("apprise", "urllib3", "requests_oauthlib"):
            # They write URLs and tokens into the log.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._threads = threads
        self._timeout = timeout
        self._service = apprise.Apprise()
        if not self._service.add(url.get_secret_value()):
            raise ValueError("is no URL that apprise understands")

    async def send(self, message: Message) -> Receipt:
        """Send a message once."""
        try:
            # The library's own limit comes first; this one is for a service that ignores it.
            async with asyncio.timeout(self._timeout + 1):
                sent = await asyncio.get_running_loop().run_in_executor(self._threads, self._send, message)
        except TimeoutError:
            return Receipt(state=DeliveryState.QUEUED, error=f"no answer within {self._timeout:g} s")
        if sent:
            return Receipt(state=DeliveryState.DELIVERED)
        # apprise says why only in its log, which holds secrets, so whatever it was is tried again.
        return Receipt(state=DeliveryState.QUEUED, error="the service did not take it")

    def _send(self, message: Message) -> bool:
        try:
            result = self._service.notify(
                # Some services refuse an empty body.
                body=message.text or message.title,
                title=message.title,
                notify_type=_TYPES[message.severity],
                body_format=apprise.NotifyFormat.TEXT,
                # A title that looks like an escape stays as it is written.
                interpret_escapes=False,
                timeout=self._timeout,
            )
        except Exception:  # noqa: BLE001 -- a plugin's fault of any kind; its text may hold the URL
            return False
        return bool(result)
