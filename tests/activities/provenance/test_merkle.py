"""The tree is that of RFC 6962: the roots and paths that Certificate Transparency's own tests expect."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.provenance.merkle import MerkleTree, inclusion_proof, leaf_hash, root_of_proof

# The inputs and roots of the reference implementation's tests (certificate-transparency, merkletree/merkle_tree_test).
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree(leaves: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    return tree


def by_definition(leaves: list[bytes]) -> bytes:
    """The Merkle tree hash as section 2.1 of RFC 6962 states it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert tree(INPUTS[:size]).root == ROOTS[size - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert MerkleTree().root == hashlib.sha256(b"").hexdigest()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert tree(leaves).root == by_definition(leaves).hex()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_a_path_leads_from_its_own_leaf_to_the_root_and_from_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = inclusion_proof([leaf_hash(leaf) for leaf in leaves], index)
    root = tree(leaves).root
    assert root_of_proof(leaves[index], index, len(leaves), path) == root
    assert root_of_proof(leaves[index] + b"!", index, len(leaves), path) != root
    assert root_of_proof(leaves[index], len(leaves), len(leaves), path) == ""
    assert root_of_proof(leaves[index], index, len(leaves), [*path, root]) != root
    for other in set(range(len(leaves))) - {index}:
        assert root_of_proof(leaves[index], other, len(leaves), path) != root or leaves[other] == leaves[index]


def test_a_node_does_not_pass_for_a_leaf() -> None:
    """Without domain separation, two leaves and one that is the node above them would have the same root."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert tree([b"a", b"b"]).root != tree([left + right]).root
