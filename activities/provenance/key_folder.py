"""A folder of every public key that ever signed here: what an old key signed stays provable after it was replaced."""

from pathlib import Path

from activities.private_file import create_once, replace
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.keys import KeySet, keyid_of, public_key, public_pem


class PublicKeyFolder:
    """Keeps public keys, each in ``<key id>.pem``.

    Args:
        root: The folder.
        current: File that always holds the key that signs now, to be handed to those who verify.
    """

    def __init__(self, root: Path, current: Path) -> None:
        self._root = root
        self._current = current

    def keep(self, pem: bytes) -> None:
        """Keep a key; one that is kept already changes nothing."""
        key = public_key(pem)
        path = self._root / f"{keyid_of(key)}.pem"
        if not path.exists():
            create_once(path, public_pem(key))

    def publish(self, pem: bytes) -> None:
        """Keep the key that signs from now on, and show it as that."""
        self.keep(pem)
        if not self._current.exists() or self._current.read_bytes() != pem:
            replace(self._current, pem)

    def keys(self) -> KeySet:
        """Return all keys.

        Raises:
            ProvenanceInvalid: A file is not the key that its name says.
        """
        found = {path: path.read_bytes() for path in sorted(self._root.glob("*.pem"))}
        for path, pem in found.items():
            if keyid_of(public_key(pem)) != path.stem:
                raise ProvenanceInvalid(f"the public key {path} is not the one that its name says", path=str(path))
        pems = list(found.values())
        if self._current.exists():
            # An installation from before there was the folder has its key here only.
            pems.append(self._current.read_bytes())
        return KeySet(pems)
