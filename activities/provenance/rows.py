"""The rows of a run, summed up one at a time."""

import hashlib
from typing import NamedTuple

from activities.artifacts.contracts import Digest
from activities.provenance.leaf import Leaf
from activities.provenance.merkle import MerkleTree


class Rows(NamedTuple):
    """What the rows of a run came to.

    Args:
        root: Root of the Merkle tree over them, in hex.
        size: How many there are.
        sealed: How many of them have an envelope.
        digest: Digest of their lines, each ended by a newline.
    """

    root: str
    size: int
    sealed: int
    digest: Digest


class RowSum:
    """Takes rows in plan order; as small as their tree is high."""

    def __init__(self) -> None:
        self._tree = MerkleTree()
        self._lines = hashlib.sha256()
        self._sealed = 0

    def take(self, leaf: Leaf) -> bytes:
        """Take the next row and return its line."""
        data = leaf.data
        self._tree.add(data)
        self._sealed += leaf.envelope is not None
        line = data + b"\n"
        self._lines.update(line)
        return line

    @property
    def rows(self) -> Rows:
        """The sum of the rows so far."""
        return Rows(self._tree.root, self._tree.size, self._sealed, f"sha256:{self._lines.hexdigest()}")
