"""How a process writes its log: in one form, and without the values of secrets."""

import logging

from temporal.redaction import PROCESS, Redaction

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class RedactingFormatter(logging.Formatter):
    """Redacts the finished line with its traceback: values may come by arguments and exceptions too.

    Args:
        inner: Makes the line.
        redaction: Knows the values.
    """

    def __init__(self, inner: logging.Formatter, redaction: Redaction = PROCESS) -> None:
        super().__init__()
        self._inner = inner
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        return self._redaction.redacted(self._inner.format(record))


def configure_logging(level: str) -> None:
    """Write the log of this process to standard error."""
    logging.basicConfig(level=level, format=FORMAT)
    for handler in logging.getLogger().handlers:
        redact_handler(handler, logging.Formatter(FORMAT))


def redact_handler(handler: logging.Handler, formatter: logging.Formatter) -> None:
    """Have a handler write lines in a form, without the values of secrets."""
    handler.setFormatter(RedactingFormatter(formatter))
