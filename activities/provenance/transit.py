"""Signing by Vault or OpenBao (secrets engine transit): the private key never leaves the server."""

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hvac import exceptions as faults
from requests.exceptions import RequestException

from activities.provenance.contracts import SignerUnavailable, SigningKeyUnusable
from activities.provenance.envelope import envelope_bytes, pae
from activities.provenance.key_folder import PublicKeyFolder
from activities.provenance.keys import keyid_of, public_pem
from activities.secrets.vault import Vault

log = logging.getLogger(__name__)

Result = TypeVar("Result")

KEY_TYPE: Final = "ed25519"


class TransitSigner:
    """Signs with the newest version of a key on the server; a rotation there counts from the next signature on.

    Args:
        vault: The server.
        key: Name of the key, of type ed25519.
        mount: Where the transit engine is mounted.
        folder: Where its public keys are kept: who verifies needs no server.
    """

    def __init__(self, vault: Vault, key: str, mount: str, folder: PublicKeyFolder) -> None:
        self._vault = vault
        self._key = key
        self._mount = mount
        self._folder = folder
        self._keys: dict[int, Ed25519PublicKey] = {}

    async def learn(self) -> None:
        """Read the public keys and keep them.

        Raises:
            SigningKeyUnusable: There is no such key, or it is of another type.
            SignerUnavailable: The server does not answer, or refuses.
        """
        told = (await self._asked(lambda transit: transit.read_key(self._key, mount_point=self._mount)))["data"]
        if told["type"] != KEY_TYPE or told.get("derived"):
            raise SigningKeyUnusable(f"the transit key {self._key} is of type {told['type']}, not {KEY_TYPE}")
        for version, each in sorted(told["keys"].items(), key=lambda one: int(one[0])):
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(each["public_key"]))
            self._keys[int(version)] = key
            await asyncio.to_thread(self._folder.keep, public_pem(key))
        await asyncio.to_thread(self._folder.publish, public_pem(self._keys[max(self._keys)]))

    async def try_to_learn(self) -> None:
        """Read the public keys if the server answers: a process starts without it, and signs when it is back."""
        try:
            await self.learn()
        except SignerUnavailable as error:
            log.warning("%s", error.message)

    async def sign(self, payload: bytes, payload_type: str) -> bytes:
        """Return the DSSE envelope over a payload; see :class:`Signer`."""
        signed = base64.b64encode(pae(payload_type, payload)).decode()
        answer = await self._asked(
            lambda transit: transit.sign_data(self._key, hash_input=signed, mount_point=self._mount)
        )
        version, signature = _parsed(answer["data"]["signature"])
        if version not in self._keys:
            await self.learn()
        return envelope_bytes(payload, signature, keyid_of(self._keys[version]))

    async def rotate(self) -> str:
        """Have the server make a new version of the key, and return the id of its public key."""
        await self.learn()
        await self._asked(lambda transit: transit.rotate_key(self._key, mount_point=self._mount))
        await self.learn()
        return keyid_of(self._keys[max(self._keys)])

    async def _asked(self, ask: Callable[[Any], Result]) -> Result:
        try:
            return await self._vault.ask(lambda client: ask(client.secrets.transit))
        except faults.InvalidPath:
            how = f"bao write -f {self._mount}/keys/{self._key} type={KEY_TYPE}"
            raise SigningKeyUnusable(f"there is no transit key {self._key}; make it: {how}") from None
        except (faults.VaultError, RequestException) as fault:
            # Messages of the libraries may carry what was sent; the kind of the fault says enough.
            raise SignerUnavailable(
                f"the server that signs did not sign with the transit key {self._key}: {type(fault).__name__}"
            ) from None


def _parsed(text: str) -> tuple[int, bytes]:
    """Return version and signature of the form ``vault:v1:…``."""
    _, version, signature = text.split(":", 2)
    return int(version.removeprefix("v")), base64.b64decode(signature)
