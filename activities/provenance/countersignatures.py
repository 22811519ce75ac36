"""What an identity signed besides the keys of a run's seals: checked as far as the proof itself goes, or wholly."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from activities.artifacts.contracts import digest_of
from activities.provenance.contracts import CountersignatureVerifier, ProvenanceInvalid
from activities.provenance.run_statement import SIGSTORE_FILE, RunPredicate, without_countersignature
from activities.provenance.statement import digest_set, statement_bytes


class Countersignatures:
    """Goes along a run's seals.

    Args:
        verifier: Who must have signed each; ``None`` asks only that what the seals name is there and is about them.
    """

    def __init__(self, verifier: CountersignatureVerifier | None) -> None:
        self._verifier = verifier
        self.identity = verifier.identity if verifier else ""

    def check(self, statement: dict[str, Any], told: RunPredicate, bundles: Iterator[bytes]) -> None:
        """Check the next seal.

        Args:
            statement: Its statement.
            told: What that says.
            bundles: The signatures that are left.

        Raises:
            ProvenanceInvalid: Its signature is missing, was altered, is about something else, or is somebody else's.
        """
        if told.countersigned is None:
            if self._verifier is not None:
                raise ProvenanceInvalid(f"seal {told.number} was signed by a key alone, not by {self.identity} too")
            return
        bundle = next(bundles, b"")
        if digest_set(digest_of(bundle)) != told.countersigned.digest:
            raise ProvenanceInvalid(f"what sigstore signed of seal {told.number} is missing or was altered")
        payload = self._verifier.payload(bundle) if self._verifier else _payload(bundle)
        if payload != statement_bytes(without_countersignature(statement)):
            raise ProvenanceInvalid(f"what sigstore signed is not seal {told.number}")

    def end(self, bundles: Iterator[bytes]) -> None:
        """Check that nothing is left.

        Raises:
            ProvenanceInvalid: There is more than the seals name.
        """
        if next(bundles, None) is not None:
            raise ProvenanceInvalid(f"something was added to {SIGSTORE_FILE}: no seal names it")


def _payload(bundle: bytes) -> bytes:
    """Return what a bundle says was signed; by whom is not checked."""
    try:
        return base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProvenanceInvalid("what sigstore signed is no bundle") from None
