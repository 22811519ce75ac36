"""A row in the seal of its run: how it ended, and which envelope proves how its output came to be."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from activities.artifacts.contracts import Digest
from activities.provenance.contracts import ProvenanceInvalid
from activities.records.contracts import RowState
from temporal.contract import Contract

# A leaf is a dozen short fields; a row id is the only one a catalog chooses.
MAX_LEAF_BYTES: Final = 64 * 1024


class Leaf(Contract):
    """A row's recorded end.

    Args:
        index: Its place in the plan, from 0.
        row: Its id.
        attempt: Which execution of it ended so.
        code: Error code of an end that is no success.
        output: Digest of its output, if it has one.
        envelope: Digest of the envelope about it; ``None`` for a row that ended before there was an output.
        finished_at: When it ended, as recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: NonNegativeInt
    row: str
    state: RowState
    attempt: PositiveInt
    code: str = ""
    output: Digest | None = None
    envelope: Digest | None = None
    finished_at: str = ""

    @property
    def data(self) -> bytes:
        """The one form in which a leaf is hashed and written: canonical JSON."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def parse(cls, data: bytes) -> "Leaf":
        """Return the leaf of its bytes.

        Raises:
            ProvenanceInvalid: They are not the form in which a leaf is written.
        """
        try:
            leaf = cls.model_validate_json(data)
        except ValidationError:
            raise ProvenanceInvalid("a line of the rows is not as Prism writes it") from None
        if leaf.data != data:
            raise ProvenanceInvalid(f"the line of row {leaf.row} is not as Prism writes it")
        return leaf


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
