"""The Merkle tree of RFC 6962 (section 2.1): its root from leaves one at a time, as small as the tree is high."""

import hashlib
from collections.abc import Sequence
from typing import Final

ALGORITHM: Final = "rfc6962-sha256"
# A leaf and a node are hashed apart, so that no node passes for a leaf.
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


class MerkleTree:
    """Takes leaves in order. It keeps one hash for each complete subtree: 18 for 200,000 leaves."""

    def __init__(self) -> None:
        self._subtrees: list[bytes] = []
        self.size = 0

    def add(self, leaf: bytes) -> None:
        """Take the next leaf."""
        node = leaf_hash(leaf)
        # Each bit that is set in the size stands for a complete subtree; what carries over is merged, as in counting.
        carried = self.size
        while carried & 1:
            node = node_hash(self._subtrees.pop(), node)
            carried >>= 1
        self._subtrees.append(node)
        self.size += 1

    @property
    def root(self) -> str:
        """The root over all leaves so far, in hex; of none it is the hash of nothing."""
        if not self._subtrees:
            return hashlib.sha256().hexdigest()
        node = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            node = node_hash(subtree, node)
        return node.hex()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[str]:
    """Return the audit path of a leaf: the hashes that lead from it to the root, in hex.

    Args:
        leaves: The hashes of all leaves; see :func:`leaf_hash`.
        index: Which leaf, from 0.
    """
    path: list[str] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling].hex())
        paired = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        # A node without a sibling moves up as it is.
        level = paired + level[len(paired) * 2 :]
        index //= 2
    return path


def root_of_proof(leaf: bytes, index: int, size: int, path: Sequence[str]) -> str:
    """Return the root that an audit path leads to (RFC 9162, section 2.1.3.2); empty when it leads nowhere."""
    if not 0 <= index < size:
        return ""
    node, place, last = leaf_hash(leaf), index, size - 1
    for step in map(bytes.fromhex, path):
        if last == 0:
            return ""
        if place & 1 or place == last:
            node = node_hash(step, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, step)
        place, last = place >> 1, last >> 1
    return node.hex() if last == 0 else ""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two."""
    return hashlib.sha256(_NODE + left + right).digest()
