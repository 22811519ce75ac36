"""Tools that a model may have run: programs with a name, and what they take."""

import hashlib
from typing import Any, Final

from catalogs import cells
from catalogs.row import Language
from temporal.contract import Contract

# About as much as the definition of a tool has.
TOOL_BYTES: Final = 1024
# What a submission may ask for at most.
MOST_TOOL_ROUNDS: Final = 100
MOST_TOOL_CALLS: Final = 1000


def tool_names(text: str) -> dict[str, str]:
    """Return the tools that a cell names, their digests still unknown."""
    return dict.fromkeys(cells.names(text), "")


class Tool(Contract):
    """A program that a model may have run, in the sandbox and without a network.

    Args:
        name: What the model calls it.
        description: What it does, for the model.
        parameters: JSON schema of the object that it reads from standard input, as JSON.
        code: Source text; what it prints is its result.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    language: Language
    code: str

    @property
    def document(self) -> bytes:
        """The tool as it is kept: a plan names its digest, so a run keeps to the tool that it began with."""
        return self.model_dump_json().encode()

    @property
    def digest(self) -> str:
        """Digest of the document."""
        return f"sha256:{hashlib.sha256(self.document).hexdigest()}"
