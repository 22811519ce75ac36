"""Activities that sign how an output came to be."""

from temporalio import activity

from activities.artifacts.contracts import ArtifactStore
from activities.artifacts.files import Files
from activities.provenance.contracts import Seal, SealRequest, Signer
from activities.provenance.envelope import parse_envelope
from activities.provenance.statement import build_statement, statement_bytes
from activities.provenance.uris import PAYLOAD_TYPE
from temporal.names import ActivityName


class ProvenanceActivities:
    """Seals outputs. Repeating a request writes the same envelope again: statement and signature are fixed.

    Args:
        signer: Signs statements.
        store: Keeps envelopes.
    """

    def __init__(self, signer: Signer, store: ArtifactStore) -> None:
        self._signer = signer
        self._store = store

    @activity.defn(name=ActivityName.SEAL)
    async def seal(self, request: SealRequest) -> Seal:
        """Sign the statement of a row and keep the envelope."""
        statement = build_statement(request, await Files(self._store).list(request.files))
        envelope = await self._signer.sign(statement_bytes(statement), PAYLOAD_TYPE)
        return Seal(envelope=await self._store.put(envelope), keyid=parse_envelope(envelope).keyid)
