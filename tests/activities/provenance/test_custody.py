"""A chain of custody without a gap leads from the model's words to the output."""

import pytest

from activities.artifacts.contracts import digest_of
from activities.provenance.contracts import Act, CustodyAct, ProvenanceInvalid
from activities.provenance.custody import check_custody, custody_of
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.statement import build_statement, statement_bytes
from activities.provenance.uris import PAYLOAD_TYPE
from activities.provenance.verify import verify_envelope
from tests.activities.provenance.test_seal import REQUEST, signer

__all__ = ["signer"]

DRAFT, EDITED = digest_of(b"draft"), REQUEST.output
WRITTEN = CustodyAct(act=Act.WRITTEN, by="test/model", prompt=digest_of(b"prompt"), text=DRAFT)
SCANNED = CustodyAct(act=Act.SCANNED, by="gitleaks 8", text=DRAFT, outcome="clean", result=digest_of(b"report"))
EDIT = CustodyAct(act=Act.EDITED, by="ana", before=DRAFT, text=EDITED, round=1, outcome="edit")
AGAIN = SCANNED.model_copy(update={"text": EDITED})


@pytest.mark.parametrize("acts", [(), (WRITTEN, SCANNED, EDIT, AGAIN), (WRITTEN, WRITTEN, EDIT)])
def test_a_chain_without_a_gap_holds(acts: tuple[CustodyAct, ...]) -> None:
    check_custody(acts, EDITED)


@pytest.mark.parametrize(
    ("acts", "why"),
    [
        ((SCANNED, WRITTEN, EDIT), "act 1 .scanned. is about another text"),
        ((WRITTEN, AGAIN, EDIT), "act 2 .scanned. is about another text"),
        ((WRITTEN, EDIT, EDIT), "act 3 .edited. is about another text"),
        ((WRITTEN, SCANNED), "ends with another text"),
    ],
)
def test_a_gap_is_told_with_its_place(acts: tuple[CustodyAct, ...], why: str) -> None:
    with pytest.raises(ProvenanceInvalid, match=why):
        check_custody(acts, EDITED)


async def test_the_statement_tells_every_act_and_a_gap_in_it_does_not_verify(signer: KeyFileSigner) -> None:
    acts = (WRITTEN, SCANNED, EDIT, AGAIN)
    whole = build_statement(REQUEST.model_copy(update={"custody": acts}))
    assert custody_of(whole) == acts
    assert verify_envelope(await signer.sign(statement_bytes(whole), PAYLOAD_TYPE), signer.public_key_pem)
    broken = build_statement(REQUEST.model_copy(update={"custody": acts[:2]}))
    with pytest.raises(ProvenanceInvalid, match="has a gap"):
        verify_envelope(await signer.sign(statement_bytes(broken), PAYLOAD_TYPE), signer.public_key_pem)


async def test_a_statement_from_before_custody_was_stated_still_verifies(signer: KeyFileSigner) -> None:
    old = build_statement(REQUEST)
    del old["predicate"]["buildDefinition"]["internalParameters"]["custody"]
    assert verify_envelope(await signer.sign(statement_bytes(old), PAYLOAD_TYPE), signer.public_key_pem)
