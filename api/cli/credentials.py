"""Who is logged in at this terminal: tokens by address of the API, in a file that only its owner reads."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import click
import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from activities.identity.contracts import LoggedIn
from api.client import PrismApiError
from temporal.errors import PrismError
from temporal.names import ErrorCode

# An access token this close to its end may have ended when it arrives.
MARGIN_SECONDS = 60.0
TIMEOUT_SECONDS = 30.0


class NotLoggedIn(PrismError):
    """Nobody is logged in any more."""

    code: ClassVar[ErrorCode] = ErrorCode.UNAUTHENTICATED


class Credentials(BaseModel):
    """Tokens of one login.

    Args:
        expires_at: When the access token ends, seconds since 1970.
    """

    user: str
    access_token: str
    expires_at: float
    refresh_token: str

    @classmethod
    def of(cls, login: LoggedIn) -> "Credentials":
        """Return what is kept of a login."""
        return cls(
            user=login.user.name,
            access_token=login.access_token,
            expires_at=time.time() + login.expires_in,
            refresh_token=login.refresh_token,
        )


_FILE = TypeAdapter(dict[str, Credentials])


def folder() -> Path:
    """Return where this person's credentials are."""
    return Path(click.get_app_dir("prism"))


def login(url: str, path: str, body: dict[str, str]) -> Credentials:
    """Log in, and keep the tokens.

    Args:
        url: Where the API is.
        path: ``login`` or ``redeem``.
        body: Who, and the proof.

    Raises:
        PrismApiError: The API refuses, or does not answer.
    """
    credentials = Credentials.of(_post(url, path, body))
    with _locked():
        _write(_read() | {url: credentials})
    return credentials


def forget(url: str) -> None:
    """Keep nothing of a login any more."""
    with _locked():
        _write({address: one for address, one in _read().items() if address != url})


def token_for(url: str) -> str | None:
    """Return the access token of whoever is logged in at an API; ``None`` for nobody.

    Raises:
        NotLoggedIn: The session has ended.
    """
    found = _read().get(url)
    if found is None or found.expires_at - MARGIN_SECONDS > time.time():
        return found.access_token if found else None
    with _locked():
        # A refresh token is spent once: whoever comes second takes what the first one got.
        found = _read().get(url)
        if found is None or found.expires_at - MARGIN_SECONDS > time.time():
            return found.access_token if found else None
        try:
            renewed = Credentials.of(_post(url, "refresh", {"refresh_token": found.refresh_token}))
        except PrismApiError as error:
            if error.code in {ErrorCode.INVALID_CREDENTIALS, ErrorCode.TOKEN_REUSED, ErrorCode.UNAUTHENTICATED}:
                _write({address: one for address, one in _read().items() if address != url})
                raise NotLoggedIn("your session has ended", hint="log in again with: prism login") from None
            raise
        _write(_read() | {url: renewed})
        return renewed.access_token


def user_at(url: str) -> str | None:
    """Return who is logged in at an API."""
    found = _read().get(url)
    return found.user if found else None


def _post(url: str, path: str, body: dict[str, str]) -> LoggedIn:
    try:
        answer = httpx.post(f"{url}/api/v1/auth/{path}", json=body, timeout=TIMEOUT_SECONDS)
    except httpx.TransportError as error:
        raise PrismApiError.unreachable(url, error) from error
    if not answer.is_success:
        raise PrismApiError.of(answer)
    return LoggedIn.model_validate_json(answer.content)


def _path() -> Path:
    return folder() / "credentials.json"


def _read() -> dict[str, Credentials]:
    try:
        return _FILE.validate_json(_path().read_bytes())
    except (OSError, ValidationError):
        # A damaged file is as good as none: one logs in again.
        return {}


def _write(credentials: dict[str, Credentials]) -> None:
    path = _path()
    written = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({url: one.model_dump() for url, one in credentials.items()}, file)
    written.replace(path)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder() / "credentials.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
