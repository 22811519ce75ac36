"""The part of the composition root that names signers, and the keys that count."""

import asyncio
from typing import TYPE_CHECKING

from activities.provenance.bill_of_materials import bill_of_materials
from activities.provenance.contracts import Countersigner, Signer
from activities.provenance.key_folder import PublicKeyFolder
from activities.provenance.register import SqlRunSeals
from activities.provenance.rotation import WatchedKeyFile, rotate_key_file
from activities.provenance.run_activity import RunSealActivities
from activities.secrets.contracts import SecretsUnusable
from workers.compose import Stores
from workers.settings import Settings
from workers.vault import open_vault

if TYPE_CHECKING:
    from activities.provenance.transit import TransitSigner


def public_keys(settings: Settings) -> PublicKeyFolder:
    """Return where every key that signs or signed in this installation is kept; empty before a worker's first start."""
    return PublicKeyFolder(settings.public_keys, settings.public_key)


def key_file(settings: Settings) -> WatchedKeyFile:
    """Return what signs with the installation's key file.

    Raises:
        SigningKeyUnusable: The file cannot be used.
    """
    return WatchedKeyFile(settings.signing_key, public_keys(settings))


def _transit(settings: Settings) -> "TransitSigner":
    # The server's client is loaded by who has a server.
    from activities.provenance.transit import TransitSigner  # noqa: PLC0415 -- see above

    if not settings.vault_url:
        raise SecretsUnusable("PRISM_SIGNING_TRANSIT_KEY needs the server that has it: set PRISM_VAULT_URL")
    return TransitSigner(
        open_vault(settings),
        settings.signing_transit_key,
        settings.signing_transit_mount,
        public_keys(settings),
    )


async def open_signer(settings: Settings) -> Signer:
    """Return what signs rows and runs.

    Raises:
        SigningKeyUnusable: The key cannot be used.
        SecretsUnusable: The way into the server is missing, or there are two.
    """
    if not settings.signing_transit_key:
        return await asyncio.to_thread(key_file, settings)
    signer = _transit(settings)
    await signer.try_to_learn()
    return signer


def run_seals(settings: Settings, signer: Signer, stores: Stores) -> RunSealActivities:
    """Return what seals runs."""
    seals = SqlRunSeals(stores.engine)
    countersigner = open_countersigner(settings)
    return RunSealActivities(signer, stores.artifacts, seals, stores.plans, bill_of_materials, countersigner)


def open_countersigner(settings: Settings) -> Countersigner | None:
    """Return who signs the seals of runs besides the key; ``None`` where nobody does."""
    if settings.sigstore == "off":
        return None
    from activities.provenance.sigstore_signer import SigstoreCountersigner  # noqa: PLC0415 -- as above

    return SigstoreCountersigner(settings.sigstore_token_file, settings.sigstore_trust)


async def rotate_signing_key(settings: Settings) -> str:
    """Replace the key that signs rows and runs, and return the new one's id.

    Raises:
        SigningKeyUnusable: The key cannot be used.
        SignerUnavailable: The server that has it does not answer.
        SecretsUnusable: The way into the server is missing, or there are two.
    """
    if settings.signing_transit_key:
        return await _transit(settings).rotate()
    return await asyncio.to_thread(rotate_key_file, settings.signing_key, public_keys(settings))
