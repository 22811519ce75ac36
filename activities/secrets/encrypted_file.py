"""The embedded store: one file in which every version is encrypted with AES-256-GCM."""

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from filelock import FileLock, Timeout
from pydantic import BaseModel, Field, SecretStr, ValidationError

from activities.private_file import replace
from activities.secrets.contracts import (
    Secret,
    SecretsUnavailable,
    SecretsUnusable,
    SecretVersion,
    checked_fields,
    checked_name,
    missing,
)
from activities.secrets.master_key import MasterKey

_LOCK_SECONDS: Final = 10.0
_NONCE_BYTES: Final = 12

Result = TypeVar("Result")


class _Sealed(BaseModel):
    created_at: datetime
    # Nonce and ciphertext in base64; None once destroyed.
    sealed: str | None = None


class _Document(BaseModel):
    format: int = 1
    # Versions by name, oldest first: version 1 stands at place 0.
    secrets: dict[str, list[_Sealed]] = Field(default_factory=dict)


class EncryptedFile:
    """Keeps secrets in a file, safely between processes.

    Names and moments stand in clear. A version's ciphertext is bound to its name and number, so that none
    passes for another; an old copy of the whole file is not told from the present one.

    Args:
        path: The file; made at the first :meth:`put`.
        key: Where its key is.
    """

    def __init__(self, path: Path, key: MasterKey) -> None:
        self._path = path
        self._key = key

    async def get(self, name: str, version: int | None = None) -> Secret:
        """Return a version of a secret; see :class:`SecretStore`."""
        checked_name(name)
        return await _answered(lambda: self._get(name, version))

    async def put(self, name: str, fields: dict[str, SecretStr]) -> SecretVersion:
        """Keep a new version; see :class:`SecretStore`."""
        checked_name(name)
        texts = checked_fields(fields)
        return await _answered(lambda: self._put(name, texts))

    async def versions(self, name: str) -> tuple[SecretVersion, ...]:
        """Return all versions, oldest first; see :class:`SecretStore`."""
        checked_name(name)
        return await _answered(lambda: self._versions(name))

    async def names(self) -> tuple[str, ...]:
        """Return the names of all secrets, in order."""
        return await _answered(lambda: tuple(sorted(self._read().secrets)))

    async def destroy(self, name: str, version: int) -> None:
        """Make one version unreadable for good; see :class:`SecretStore`."""
        checked_name(name)
        await _answered(lambda: self._destroy(name, version))

    async def delete(self, name: str) -> None:
        """Remove a secret with all its versions; see :class:`SecretStore`."""
        checked_name(name)
        await _answered(lambda: self._delete(name))

    def _get(self, name: str, version: int | None) -> Secret:
        kept = self._read().secrets.get(name)
        if not kept:
            raise missing(name)
        number = len(kept) if version is None else version
        sealed = kept[number - 1].sealed if 1 <= number <= len(kept) else None
        if sealed is None:
            raise missing(name, number)
        return Secret(name=name, version=number, fields=self._opened(name, number, sealed))

    def _put(self, name: str, texts: dict[str, str]) -> SecretVersion:
        with self._lock():
            document = self._read()
            kept = document.secrets.setdefault(name, [])
            number = len(kept) + 1
            now = datetime.now(UTC)
            kept.append(_Sealed(created_at=now, sealed=self._sealed(name, number, texts)))
            self._write(document)
        return SecretVersion(name=name, version=number, created_at=now)

    def _versions(self, name: str) -> tuple[SecretVersion, ...]:
        kept = self._read().secrets.get(name)
        if not kept:
            raise missing(name)
        return tuple(
            SecretVersion(name=name, version=number, created_at=one.created_at, destroyed=one.sealed is None)
            for number, one in enumerate(kept, start=1)
        )

    def _destroy(self, name: str, version: int) -> None:
        with self._lock():
            document = self._read()
            kept = document.secrets.get(name, [])
            if not 1 <= version <= len(kept):
                raise missing(name, version)
            kept[version - 1].sealed = None
            self._write(document)

    def _delete(self, name: str) -> None:
        with self._lock():
            document = self._read()
            if document.secrets.pop(name, None) is None:
                raise missing(name)
            self._write(document)

    def _sealed(self, name: str, version: int, texts: dict[str, str]) -> str:
        key = self._key.read()
        if key is None:
            # A new key beside an old file would make every secret in it unreadable without a word.
            if self._path.exists():
                raise self._keyless()
            key = self._key.create()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return base64.b64encode(
            nonce + AESGCM(key).encrypt(nonce, json.dumps(texts).encode(), _bound(name, version))
        ).decode()

    def _opened(self, name: str, version: int, sealed: str) -> dict[str, SecretStr]:
        key = self._key.read()
        if key is None:
            raise self._keyless()
        try:
            data = base64.b64decode(sealed, validate=True)
            plain = AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound(name, version))
        except (InvalidTag, ValueError):
            raise SecretsUnusable(
                f"version {version} of secret {name!r} was altered, or {self._path} belongs to another key"
            ) from None
        return {field: SecretStr(text) for field, text in json.loads(plain).items()}

    def _keyless(self) -> SecretsUnusable:
        return SecretsUnusable(
            f"the key to {self._path} is gone: bring it back, or remove the file with all its secrets"
        )

    def _read(self) -> _Document:
        try:
            return _Document.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Document()
        except ValidationError:
            raise SecretsUnusable(f"{self._path} is damaged: bring back a copy of it") from None

    def _write(self, document: _Document) -> None:
        replace(self._path, document.model_dump_json().encode())

    def _lock(self) -> FileLock:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileLock(self._path.with_suffix(".lock"), timeout=_LOCK_SECONDS, mode=0o600)


async def _answered(work: Callable[[], Result]) -> Result:
    try:
        return await asyncio.to_thread(work)
    except Timeout:
        raise SecretsUnavailable("another process keeps the file of the secrets locked") from None
    except OSError as fault:
        raise SecretsUnusable(f"the file of the secrets cannot be used: {fault.strerror}") from fault


def _bound(name: str, version: int) -> bytes:
    return f"prism/secret/1\n{name}\n{version}".encode()
