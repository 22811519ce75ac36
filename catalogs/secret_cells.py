"""References to secrets in a catalog: which column takes them, and that no other does."""

import re
from typing import Final

from catalogs.cells import BadCell
from temporal.secret_reference import ROW_FOLDER, SCHEME, BadReference, mentions_secret, parse_reference

COLUMN: Final = "secrets"
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
# What an interpreter obeys before the program starts is the sandbox's own.
_RESERVED: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4"})
_RESERVED_BEGINNINGS: Final = ("LD_", "PYTHON", "NODE_", "BASH_", "LC_", "OPENSSL_")
_EXAMPLE: Final = f"DB_PASSWORD={SCHEME}{ROW_FOLDER}db#password"


def references(text: str) -> dict[str, str]:
    """Return references by environment variable, written ``NAME=secret://catalogs/x#field; …``.

    What is no reference is not repeated in a fault: people paste values in the wrong place.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        variable, _, reference = (piece.strip() for piece in part.partition("="))
        if not _VARIABLE.fullmatch(variable):
            raise BadCell(f"environment variables in capitals, each with its secret, such as {_EXAMPLE}")
        if variable in _RESERVED or variable.startswith(_RESERVED_BEGINNINGS):
            raise BadCell(f"another name than {variable}, which an interpreter obeys")
        if variable in found:
            raise BadCell(f"{variable} once")
        found[variable] = _for_rows(variable, reference)
    return found


def holds_reference(text: str) -> bool:
    """Tell whether a cell that takes no reference holds one."""
    return mentions_secret(text)


def _for_rows(variable: str, text: str) -> str:
    try:
        reference = parse_reference(text)
    except BadReference as fault:
        raise BadCell(f"{fault} for {variable}") from None
    if not reference.for_rows:
        raise BadCell(f"for {variable} a secret whose name begins with {ROW_FOLDER}: rows read no others")
    return text
