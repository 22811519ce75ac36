"""The one error language: a code, a message for a person, details for a program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from temporal.names import ErrorCode


class PrismError(Exception):
    """A fault that a caller can act on.

    Subclasses fix ``code`` and whether a retry could help; instances add the message and details.

    Args:
        message: What happened and what to do, for a person; never holds a secret.
        details: JSON-compatible facts for a program.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: Any) -> None:  # noqa: ANN401 -- JSON values
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details


class InvalidSettings(PrismError):
    """What an installation was given to work with cannot be used; only who gave it can mend it."""

    code = ErrorCode.INVALID_SETTINGS


class InvalidFile(InvalidSettings):
    """A file that people write cannot be used; ``details["faults"]`` lists why.

    Subclasses fix ``what`` the file holds, as people call it.

    Args:
        source: The file.
        faults: Each with its place.
    """

    what: ClassVar[str]

    def __init__(self, source: Path | str, faults: Sequence[str]) -> None:
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"the {self.what} in {source} cannot be used:{lines}", faults=list(faults))
