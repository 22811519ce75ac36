"""Access tokens (JWT, minutes), CSRF tokens, and the secret of this installation that signs both."""

import hashlib
import hmac
import os
import secrets
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import jwt

from activities.identity.contracts import SecretUnusable, Unauthenticated

ACCESS_SECONDS: Final = 15 * 60
SECRET_BYTES: Final = 32
_ISSUER: Final = "prism"
_ALGORITHM: Final = "HS256"


class AccessTokens:
    """Issues and reads access tokens.

    Args:
        secret: The installation's secret; see :func:`open_secret`.
    """

    def __init__(self, secret: bytes) -> None:
        # Two uses, two keys: what one of them signs can never pass for the other.
        self._signing = hmac.digest(secret, b"access", "sha256")
        self._csrf = hmac.digest(secret, b"csrf", "sha256")

    def issue(self, user: str, session: str) -> str:
        """Return a token that stands for a session for fifteen minutes."""
        now = datetime.now(UTC)
        claims = {
            "iss": _ISSUER,
            "sub": user,
            "sid": session,
            "iat": now,
            "exp": now + timedelta(seconds=ACCESS_SECONDS),
        }
        return jwt.encode(claims, self._signing, algorithm=_ALGORITHM)

    def session_of(self, token: str) -> str:
        """Return the session a token stands for.

        Raises:
            Unauthenticated: It is no token of ours, or has expired.
        """
        try:
            claims = jwt.decode(
                token,
                self._signing,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp", "iat", "sub", "sid"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the access token has expired; refresh it or log in again") from None
        except jwt.InvalidTokenError:
            raise Unauthenticated("the token is not valid; log in again") from None
        return str(claims["sid"])

    def csrf(self, session: str) -> str:
        """Return what a page of a session sends with requests that change something."""
        return hmac.new(self._csrf, session.encode(), "sha256").hexdigest()

    def csrf_holds(self, session: str, given: str) -> bool:
        """Return whether a request came from a page of its session."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode())


def open_secret(path: Path) -> bytes:
    """Return the secret of a file, made on first use; any number of processes get the one that was first.

    Args:
        path: Readable by its owner only.

    Raises:
        SecretUnusable: The file cannot be used; the message says what to do.
    """
    try:
        if not path.exists():
            _create(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SecretUnusable(f"others can read {path}: chmod 600 it, or delete it, which logs everybody out")
        secret = path.read_bytes()
    except OSError as fault:
        raise SecretUnusable(f"the secret {path} cannot be used: {fault.strerror}", path=str(path)) from fault
    if len(secret) != SECRET_BYTES:
        raise SecretUnusable(f"{path} is damaged: delete it, which logs everybody out", path=str(path))
    return secret


def digest_of_secret(secret: str) -> str:
    """Return what is kept of a secret. It has 256 random bits: a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        # A link fails where a rename replaces: whoever comes second takes the first one's secret.
        path.hardlink_to(written)
    except FileExistsError:
        pass
    finally:
        written.unlink()
