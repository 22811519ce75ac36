"""An instance of sigstore for tests: an authority (Fulcio), its log of certificates, and a log of signatures (Rekor).

A stand-in for the servers, which cannot be reached here: it speaks their interfaces and signs what they sign, so that
sigstore's own library signs with it and verifies what it says. https://docs.sigstore.dev/
"""

import base64
import hashlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from activities.provenance.merkle import inclusion_proof, leaf_hash, root_of_proof

ISSUER = "https://issuer.example"
_ISSUER_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SINCE = "2020-01-01T00:00:00Z"


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Instance:
    """Keys, what was logged, and how to break it.

    Args:
        url: Where it listens.
    """

    def __init__(self) -> None:
        self.url = ""
        self.broken = ""
        made = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
        self.issuer, self.authority, self.certificates, self.log = made
        self.entries: list[bytes] = []
        self.root = self._root()

    def token(self, identity: str, seconds: int = 600, **claims: Any) -> str:
        """Return an identity token as the issuer signs it."""
        now = int(time.time())
        told = {"iss": ISSUER, "sub": identity, "aud": "sigstore", "iat": now - 5, "exp": now + seconds, **claims}
        return jwt.encode(told, self.issuer, algorithm="ES256")

    def trust(self, path: Path) -> Path:
        """Write the client trust configuration and return its file."""
        valid = {"start": _SINCE}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            public = {"rawBytes": text(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": valid}
            key_id = text(hashlib.sha256(spki(key)).digest())
            return {"baseUrl": self.url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": key_id}}

        service = {"url": self.url, "majorApiVersion": 1, "validFor": valid, "operator": "tests"}
        chain = {"certificates": [{"rawBytes": text(self.root.public_bytes(Encoding.DER))}]}
        authority = {
            "subject": {"organization": "tests", "commonName": "authority of tests"},
            "uri": self.url,
            "certChain": chain,
            "validFor": valid,
        }
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log)],
            "ctlogs": [log(self.certificates)],
            "certificateAuthorities": [authority],
        }
        signing = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service],
            "oidcUrls": [service],
            "rekorTlogUrls": [service],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        }
        kind = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
        path.write_text(json.dumps({"mediaType": kind, "trustedRoot": root, "signingConfig": signing}))
        return path

    def certificate(self, token: str, request: dict[str, str]) -> dict[str, Any]:
        """Answer as Fulcio does: a certificate of ten minutes for whom a valid token names."""
        claims = jwt.decode(token, self.issuer.public_key(), ["ES256"], audience="sigstore", issuer=ISSUER)
        csr = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        assert csr.is_signature_valid
        now = datetime.now(UTC)
        key_usage = x509.KeyUsage(True, *(False,) * 8)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(key_usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(_authority_key(self.authority), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(claims["sub"])]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_EXTENSION, ISSUER.encode()), critical=False)
        )
        before = builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        timestamps = x509.UnrecognizedExtension(_TIMESTAMPS, self._timestamps(before, now))
        made = builder.add_extension(timestamps, critical=False).sign(self.authority, hashes.SHA256())
        chain = [one.public_bytes(Encoding.PEM).decode() for one in (made, self.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def logged(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """Answer as Rekor does: the entry in the log, a signed promise of it, and the proof that it is there."""
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        made = [{"signature": envelope["signatures"][0]["sig"], "verifier": content["verifiers"][0]}]
        spec = {
            "envelopeHash": _hash(content["envelope"].encode()),
            "payloadHash": _hash(base64.b64decode(envelope["payload"])),
            "signatures": made,
        }
        entry = {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}
        body = _canonical(entry)
        self.entries.append(body)
        index, size = len(self.entries) - 1, len(self.entries)
        path = inclusion_proof([leaf_hash(one) for one in self.entries], index)
        root = root_of_proof(body, index, size, path)
        key_id = hashlib.sha256(spki(self.log)).digest()
        note = f"log.example - 1\n{size}\n{text(bytes.fromhex(root))}\n"
        checkpoint = f"{note}\n— log.example {text(key_id[:4] + signature(self.log, note.encode()))}\n"
        promise = {"body": text(body), "integratedTime": int(time.time()), "logID": key_id.hex(), "logIndex": index}
        proof = {"checkpoint": checkpoint, "hashes": path, "logIndex": index, "rootHash": root, "treeSize": size}
        signed = text(signature(self.log, _canonical(promise)))
        verification = {"inclusionProof": proof, "signedEntryTimestamp": signed}
        return {leaf_hash(body).hex(): promise | {"verification": verification}}

    def _root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of tests")])
        key_usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.authority.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), critical=False)
            .sign(self.authority, hashes.SHA256())
        )

    def _timestamps(self, certificate: bytes, now: datetime) -> bytes:
        """Return the log's word on a certificate (RFC 6962) as an extension holds it."""
        moment = int(now.timestamp() * 1000)
        entry = hashlib.sha256(spki(self.authority)).digest() + len(certificate).to_bytes(3, "big") + certificate
        made = signature(self.certificates, struct.pack("!BBQH", 0, 0, moment, 1) + entry + b"\0\0")
        log_id = hashlib.sha256(spki(self.certificates)).digest()
        one = b"\0" + log_id + struct.pack("!QHBBH", moment, 0, 4, 3, len(made)) + made
        several = struct.pack("!HH", len(one) + 2, len(one)) + one
        return b"\x04" + (bytes([len(several)]) if len(several) < 128 else bytes([0x81, len(several)])) + several


def _authority_key(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@contextmanager
def sigstore_instance() -> Iterator[Instance]:
    """Serve an instance on a free port."""
    instance = Instance()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            certifies = self.path == "/api/v2/signingCert"
            if instance.broken == ("authority" if certifies else "log"):
                return self._answer(503, {"message": "out of order"})
            if not certifies:
                assert self.path == "/api/v1/log/entries"
                return self._answer(201, instance.logged(body))
            try:
                token = self.headers["Authorization"].removeprefix("Bearer ")
                return self._answer(201, instance.certificate(token, body))
            except jwt.InvalidTokenError:
                return self._answer(401, {"message": "the token is not the issuer's"})

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield instance
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
