"""The part of the composition root that names signers, and the keys that count."""

from activities.provenance.key_folder import PublicKeyFolder
from activities.provenance.keys import KeySet
from workers.settings import Settings


def public_keys(settings: Settings) -> KeySet:
    """Return every key that signs or signed in this installation; none before a worker's first start.

    Raises:
        ProvenanceInvalid: A file of one was altered.
    """
    pems = [*PublicKeyFolder(settings.public_keys).keys().pems.values()]
    if settings.public_key.exists():
        # An installation from before there was the folder has its key here only.
        pems.append(settings.public_key.read_bytes())
    return KeySet(pems)
