"""Verifies a run's proof with securesystemslib and nothing of Prism: run as a program of its own, by another than us.

usage: foreign_verifier.py PROOF KEY.pem
"""

import hashlib
import json
import sys
import zipfile

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

proof, key = sys.argv[1:]
trusted = load_pem_public_key(open(key, "rb").read())  # noqa: PTH123, SIM115 -- as anybody would write it
keyid = hashlib.sha256(trusted.public_bytes_raw()).hexdigest()  # type: ignore[union-attr]


def statement(line: bytes) -> dict:
    """Return the in-toto statement of an envelope; raises where the signature does not hold."""
    envelope = Envelope.from_dict(json.loads(line))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    envelope.verify([SSlibKey.from_crypto(trusted, keyid=keyid)], threshold=1)
    return json.loads(envelope.payload)


def root(leaves: list[bytes]) -> bytes:
    """Return the Merkle tree hash as RFC 6962 defines it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


with zipfile.ZipFile(proof) as files:
    lines = {name: files.read(name).splitlines() for name in ("seals.jsonl", "rows.jsonl", "envelopes.jsonl")}
    seal = [statement(line) for line in lines["seals.jsonl"]][-1]
    assert seal["subject"][0]["digest"]["sha256"] == hashlib.sha256(files.read("rows.jsonl")).hexdigest()
    sbom = seal["predicate"]["builder"]["sbom"]["digest"]["sha256"]
    assert sbom == hashlib.sha256(files.read("sbom.cdx.json")).hexdigest()
assert seal["predicate"]["rows"]["root"] == root(lines["rows.jsonl"]).hex()
rows = [json.loads(line) for line in lines["rows.jsonl"]]
sealed = [row for row in rows if row["envelope"]]
for row, line in zip(sealed, lines["envelopes.jsonl"], strict=True):
    assert row["envelope"] == f"sha256:{hashlib.sha256(line).hexdigest()}"
    assert row["output"] == f"sha256:{statement(line)['subject'][0]['digest']['sha256']}"
loaded = {name.partition(".")[0] for name in sys.modules}
json.dump({"rows": len(rows), "verified": len(sealed), "loaded": sorted(loaded)}, sys.stdout)
