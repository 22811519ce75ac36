"""The one error language: a code, a message for a person, details for a program."""

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
