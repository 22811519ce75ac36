"""``secret://name`` and ``secret://name#field``: what is written where a secret is wanted."""

import re
from typing import Final, NamedTuple

SCHEME: Final = "secret://"
# Where a secret of one value keeps it.
VALUE: Final = "value"
# Rows may refer to what is kept below this, and to nothing else: whoever may submit may print what a row reads.
ROW_FOLDER: Final = "catalogs/"
_NAME: Final = r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*"
NAME_PATTERN: Final = f"^{_NAME}$"
MAX_NAME_CHARS: Final = 200

_REFERENCE: Final = re.compile(rf"{SCHEME}(?P<name>{_NAME})(?:#(?P<field>[A-Za-z0-9_.-]{{1,100}}))?")


class BadReference(ValueError):
    """A text is no reference to a secret; it is not repeated, as it may be the secret itself."""


class SecretReference(NamedTuple):
    """Which field of which secret.

    Args:
        name: Of the secret.
        field: Of it.
    """

    name: str
    field: str = VALUE

    @property
    def for_rows(self) -> bool:
        """Whether a row of a catalog may refer to it."""
        return self.name.startswith(ROW_FOLDER)


def is_reference(text: str) -> bool:
    """Tell whether a text names a secret instead of being one."""
    return text.startswith(SCHEME)


def mentions_secret(text: str) -> bool:
    """Tell whether a reference stands anywhere in a text."""
    return SCHEME in text and _REFERENCE.search(text) is not None


def parse_reference(text: str) -> SecretReference:
    """Return what a text refers to.

    Raises:
        BadReference: It is no reference.
    """
    found = _REFERENCE.fullmatch(text.strip())
    if found is None or len(found["name"]) > MAX_NAME_CHARS:
        raise BadReference(f"a reference such as {SCHEME}name or {SCHEME}name#field")
    return SecretReference(found["name"], found["field"] or VALUE)
