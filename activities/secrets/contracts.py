"""What a secret is, and what every store of secrets does."""

from datetime import datetime
from typing import Annotated, Final, Protocol

from pydantic import PositiveInt, SecretStr, StringConstraints, TypeAdapter, ValidationError

from temporal.contract import Contract
from temporal.errors import InvalidSettings, PrismError
from temporal.names import ErrorCode
from temporal.secret_reference import MAX_NAME_CHARS, NAME_PATTERN

MAX_SECRET_BYTES: Final = 64 * 1024

SecretName = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN, max_length=MAX_NAME_CHARS),
]
_NAMES: Final[TypeAdapter[str]] = TypeAdapter(SecretName)


class SecretNotFound(PrismError):
    """No secret has this name, or its version never was or was destroyed."""

    code = ErrorCode.SECRET_NOT_FOUND


class InvalidSecret(PrismError):
    """A name or a value that no store takes."""

    code = ErrorCode.INVALID_SECRET


class SecretsUnavailable(PrismError):
    """The store does not answer now."""

    code = ErrorCode.SECRETS_UNAVAILABLE
    retryable = True


class SecretsForbidden(PrismError):
    """The store refuses this installation."""

    code = ErrorCode.SECRETS_FORBIDDEN


class SecretsUnusable(InvalidSettings):
    """The store's file, or the key to it, is missing, damaged or open to others."""


class SecretVersion(Contract):
    """One version of a secret, without its value.

    Args:
        version: From 1; the highest is the newest.
        destroyed: Whether its value is gone for good.
    """

    name: SecretName
    version: PositiveInt
    created_at: datetime
    destroyed: bool = False


class Secret(Contract):
    """A version of a secret with its value; never crosses the Temporal boundary.

    Args:
        fields: Its texts by name; a secret of one value has the field ``value`` alone.
    """

    name: SecretName
    version: PositiveInt
    fields: dict[str, SecretStr]


class SecretStore(Protocol):
    """Where secrets are kept. Every method raises SecretsUnavailable when the store does not answer."""

    async def get(self, name: str, version: int | None = None) -> Secret:
        """Return a version of a secret; without one, the newest.

        Raises:
            SecretNotFound: There is none, or it was destroyed.
        """
        ...

    async def put(self, name: str, fields: dict[str, SecretStr]) -> SecretVersion:
        """Keep a new version; the earlier ones stay readable.

        Raises:
            InvalidSecret: The name or the fields cannot be kept.
        """
        ...

    async def versions(self, name: str) -> tuple[SecretVersion, ...]:
        """Return all versions, oldest first.

        Raises:
            SecretNotFound: There is no such secret.
        """
        ...

    async def names(self) -> tuple[str, ...]:
        """Return the names of all secrets, in order."""
        ...

    async def destroy(self, name: str, version: int) -> None:
        """Make the value of one version unreadable for good.

        Raises:
            SecretNotFound: There is no such version.
        """
        ...

    async def delete(self, name: str) -> None:
        """Remove a secret with all its versions.

        Raises:
            SecretNotFound: There is no such secret.
        """
        ...


def checked_name(name: str) -> str:
    """Return a secret's name.

    Raises:
        InvalidSecret: It is none. The message does not repeat it: people paste values in the wrong place.
    """
    try:
        return _NAMES.validate_python(name)
    except ValidationError:
        raise InvalidSecret(
            "a secret's name is made of a-z, 0-9, '.', '_' and '-', in parts divided by '/', "
            "each beginning with a letter or digit; 200 characters at most"
        ) from None


def checked_fields(fields: dict[str, SecretStr]) -> dict[str, str]:
    """Return the texts of a secret that is to be kept.

    Raises:
        InvalidSecret: There are none, one is empty, or they are too large.
    """
    texts = {name: value.get_secret_value() for name, value in fields.items()}
    if not texts or not all(texts) or not all(texts.values()):
        raise InvalidSecret("a secret needs a value: give a text that is not empty")
    if sum(len(text.encode()) for text in texts.values()) > MAX_SECRET_BYTES:
        raise InvalidSecret(f"a secret may have {MAX_SECRET_BYTES // 1024} KiB at most")
    return texts


def missing(name: str, version: int | None = None) -> SecretNotFound:
    """Return the fault of a secret, or a version of one, that is not there."""
    told = f"secret {name!r} has no readable version {version}" if version else f"there is no secret {name!r}"
    return SecretNotFound(told, name=name, version=version)
