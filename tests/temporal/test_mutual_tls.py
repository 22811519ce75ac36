"""TLS to Temporal: a real dev server behind an endpoint that asks for a certificate, or for a key."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from pydantic import SecretStr

from temporal.address import TemporalAddress
from temporal.client import TemporalUnavailable, connect


class Authority:
    """A certificate authority with files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = folder / f"{name}.pem"
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, usage: x509.ObjectIdentifier) -> tuple[Path, Path]:
        """Return the files of a certificate and its key, for this machine."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = self._builder(subject, key.public_key()).add_extension(here, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate, private = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _pass_with_key(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    """Pass on what a client sends while each of its requests carries a key; HTTP/2 compresses headers, so h2 reads."""
    heard = H2Connection(H2Configuration(client_side=False))
    heard.initiate_connection()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            requests = [event for event in heard.receive_data(data) if isinstance(event, RequestReceived)]
            if any(dict(request.headers or ()).get(b"authorization") != key.encode() for request in requests):
                break
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def guarded(target: str, authority: Authority, key: str = "") -> AsyncIterator[str]:
    """Serve a plain gRPC address under TLS, to those with a certificate of the authority, or with a key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.verify_mode = ssl.CERT_NONE if key else ssl.CERT_REQUIRED
    context.load_cert_chain(*authority.issue("server", ExtendedKeyUsageOID.SERVER_AUTH))
    context.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection(host, int(port))
        sent = _pass_with_key(reader, ahead, key) if key else _pass_on(reader, ahead)
        await asyncio.gather(sent, _pass_on(behind, writer))

    server = await asyncio.start_server(connection, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
async def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


async def test_who_has_a_certificate_is_let_in(dev_server: TemporalAddress, authority: Authority) -> None:
    certificate, key = authority.issue("client", ExtendedKeyUsageOID.CLIENT_AUTH)
    async with guarded(dev_server.target, authority) as target:
        address = TemporalAddress(
            target=target, client_cert=certificate, client_key=key, server_ca=authority.certificate
        )
        client = await connect(address)
        assert await client.service_client.check_health()


@pytest.mark.parametrize("missing", ["client", "authority", "both"])
async def test_who_lacks_one_or_trusts_another_authority_is_not(
    dev_server: TemporalAddress, authority: Authority, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")
    certificate, key = authority.issue("client", ExtendedKeyUsageOID.CLIENT_AUTH)
    foreign, foreign_key = other.issue("client", ExtendedKeyUsageOID.CLIENT_AUTH)
    settings: dict[str, Path | None] = {
        "client": {"client_cert": foreign, "client_key": foreign_key, "server_ca": authority.certificate},
        "authority": {"client_cert": certificate, "client_key": key, "server_ca": other.certificate},
        "both": {"client_cert": None, "client_key": None, "server_ca": authority.certificate},
    }[missing]
    async with guarded(dev_server.target, authority) as target, asyncio.timeout(60):
        with pytest.raises(TemporalUnavailable, match=r"no Temporal server answers at 127\.0\.0\.1"):
            await connect(TemporalAddress(target=target).model_copy(update=settings))


async def test_who_has_the_key_is_let_in(dev_server: TemporalAddress, authority: Authority) -> None:
    async with guarded(dev_server.target, authority, "Bearer right") as target:
        address = TemporalAddress(target=target, server_ca=authority.certificate, api_key=SecretStr("right"))
        client = await connect(address)
        assert await client.service_client.check_health()


@pytest.mark.parametrize("key", [None, SecretStr("wrong")])
async def test_who_has_none_or_another_is_not(
    dev_server: TemporalAddress, authority: Authority, key: SecretStr | None
) -> None:
    async with guarded(dev_server.target, authority, "Bearer right") as target, asyncio.timeout(60):
        with pytest.raises(TemporalUnavailable, match=r"no Temporal server answers at 127\.0\.0\.1") as refused:
            await connect(TemporalAddress(target=target, server_ca=authority.certificate, api_key=key))
    assert "wrong" not in refused.value.message
