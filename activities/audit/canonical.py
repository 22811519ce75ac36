"""The one way in which an entry is written as bytes, and its hash."""

import hashlib
import json
from typing import Any, Final

DOMAIN: Final = b"prism-audit-entry-v1\n"
FIELDS: Final = ("sequence", "at", "actor", "kind", "subject", "detail", "key", "previous")
_MAX_TEXT: Final = 2000


def canonical(value: object) -> str:
    """Return a value as canonical JSON: sorted names, no spaces, nothing escaped that need not be.

    For what :func:`facts` returns that is RFC 8785: it has no fractions, whose many spellings are the hard part of it.

    Raises:
        ValueError: It is not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def entry_hash(entry: dict[str, Any]) -> str:
    """Return the SHA-256 of an entry, in hex: over every field but the hash itself.

    Raises:
        KeyError: A field is missing.
        ValueError: A field cannot be written as UTF-8.
    """
    body = canonical({name: entry[name] for name in FIELDS})
    return hashlib.sha256(DOMAIN + body.encode()).hexdigest()


def facts(value: Any) -> Any:  # noqa: ANN401 -- JSON values
    """Return a value as entries may hold it.

    Fractions become texts, half characters and NUL become U+FFFD, and texts beyond 2,000 characters are cut: the log
    says who decided what, the artifacts keep the rest.
    """
    if isinstance(value, str):
        return plain(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return {plain(str(name)): facts(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [facts(inner) for inner in value]
    return plain(str(value))


def plain(text: str) -> str:
    """Return a text that every database takes and every reader reads alike."""
    text = (
        text.replace("\0", "\ufffd").encode(errors="replace").decode() if not text.isascii() or "\0" in text else text
    )
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
