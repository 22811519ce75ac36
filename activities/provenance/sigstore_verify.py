"""Verification of what sigstore signed, offline: from the bundle and a root of trust."""

import json
import logging
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.uris import PAYLOAD_TYPE

# It says on standard error that it asks nobody, which is what is wanted.
logging.getLogger("sigstore").addHandler(logging.NullHandler())
_CONFIGURATION: Final = "clienttrustconfig"


class SigstoreVerifier:
    """Checks certificate, log entry and signature of bundles, and whose they are.

    Args:
        identity: Who must have signed, as the certificate names them: a mail address or a URI.
        issuer: Who must have vouched for them.
        trust: File of a client trust configuration or a trusted root; ``None`` takes the public instance's as this
            machine knows it, without asking.

    Raises:
        ProvenanceInvalid: The root of trust cannot be used.
    """

    def __init__(self, identity: str, issuer: str, trust: Path | None = None) -> None:
        self.identity = identity
        self._policy = Identity(identity=identity, issuer=issuer)
        try:
            self._verifier = Verifier(trusted_root=_root(trust))
        except (Error, OSError, ValueError) as error:
            raise ProvenanceInvalid(f"sigstore's root of trust cannot be used: {error}") from None

    def payload(self, bundle: bytes) -> bytes:
        """Return the statement that a bundle proves to be signed by them.

        Raises:
            ProvenanceInvalid: It does not prove that.
        """
        try:
            kind, payload = self._verifier.verify_dsse(Bundle.from_json(bundle), self._policy)
        except (Error, ValidationError, ValueError) as error:
            raise ProvenanceInvalid(f"what sigstore signed does not hold: {error}") from None
        if kind != PAYLOAD_TYPE:
            raise ProvenanceInvalid(f"what sigstore signed is {kind}, no in-toto statement")
        return payload


def _root(trust: Path | None) -> TrustedRoot:
    if trust is None:
        return ClientTrustConfig.production(offline=True).trusted_root
    raw = trust.read_text()
    if _CONFIGURATION in str(json.loads(raw).get("mediaType")):
        return ClientTrustConfig.from_json(raw).trusted_root
    return TrustedRoot.from_file(str(trust))
