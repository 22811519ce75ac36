"""Passwords, hashed with argon2id."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Passwords:
    """Hashes and verifies; each takes some fifty milliseconds of a processor on purpose, in a thread."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._unknown: str | None = None

    async def hashed(self, password: str) -> str:
        """Return the hash to keep of a password."""
        return await asyncio.to_thread(self._hasher.hash, password)

    async def holds(self, kept: str | None, password: str) -> bool:
        """Return whether a password has this hash.

        Args:
            kept: The hash; ``None``, for nobody's password, takes as long and is false.
            password: What was typed.
        """
        matches = await asyncio.to_thread(self._verify, kept or self._nobodys(), password)
        return matches and kept is not None

    def _nobodys(self) -> str:
        if self._unknown is None:
            self._unknown = self._hasher.hash(secrets.token_hex())
        return self._unknown

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False
