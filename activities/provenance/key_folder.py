"""A folder of every public key that ever signed here: what an old key signed stays provable after it was replaced."""

from pathlib import Path

from activities.private_file import create_once
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.keys import KeySet, keyid_of, public_key, public_pem


class PublicKeyFolder:
    """Keeps public keys, each in ``<key id>.pem``.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, pem: bytes) -> str:
        """Keep a key and return its id; one that is kept already changes nothing."""
        key = public_key(pem)
        create_once(self._root / f"{keyid_of(key)}.pem", public_pem(key))
        return keyid_of(key)

    def keys(self) -> KeySet:
        """Return all keys.

        Raises:
            ProvenanceInvalid: A file is not the key that its name says.
        """
        found = {path: path.read_bytes() for path in sorted(self._root.glob("*.pem"))}
        for path, pem in found.items():
            if keyid_of(public_key(pem)) != path.stem:
                raise ProvenanceInvalid(f"the public key {path} is not the one that its name says", path=str(path))
        return KeySet(found.values())
