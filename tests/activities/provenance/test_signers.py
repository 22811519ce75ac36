"""Whatever holds the key: envelopes verify with public keys alone, also after the key was replaced."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.provenance.contracts import ProvenanceInvalid, Signer, SignerUnavailable, SigningKeyUnusable
from activities.provenance.envelope import parse_envelope
from activities.provenance.key_folder import PublicKeyFolder
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.rotation import WatchedKeyFile, rotate_key_file
from activities.provenance.statement import build_statement, statement_bytes
from activities.provenance.transit import TransitSigner
from activities.provenance.uris import PAYLOAD_TYPE
from activities.provenance.verify import verify_envelope
from activities.secrets.contracts import SecretsUnusable
from activities.secrets.vault import AppRoleLogin, TokenLogin, Vault, VaultAddress
from tests.activities.provenance.test_seal import OUTPUT, REQUEST
from tests.activities.secrets.bao import Bao, running_bao
from workers.provenance import open_signer, public_keys, rotate_signing_key
from workers.settings import Settings

STATEMENT = statement_bytes(build_statement(REQUEST))


@dataclass(frozen=True)
class Kept:
    """A signer under test.

    Args:
        signer: Signs.
        rotate: Replaces its key, from another process's point of view.
        folder: Its public keys.
    """

    signer: Signer
    rotate: Callable[[], Awaitable[str]]
    folder: PublicKeyFolder


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with running_bao(tmp_path_factory.mktemp("bao")) as server:
        server.client.sys.enable_secrets_engine("transit")
        yield server


@pytest.fixture(params=["key file", "transit"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    if request.param == "key file":
        path = tmp_path / "signing.pem"

        async def rotate() -> str:
            return rotate_key_file(path, folder)

        yield Kept(WatchedKeyFile(path, folder), rotate, folder)
        return
    bao: Bao = request.getfixturevalue("bao")
    bao.client.secrets.transit.create_key(tmp_path.name, key_type="ed25519")
    await (signer := transit(bao, tmp_path.name, folder)).learn()
    yield Kept(signer, transit(bao, tmp_path.name, folder).rotate, folder)


def transit(bao: Bao, key: str, folder: PublicKeyFolder) -> TransitSigner:
    login = TokenLogin(token=SecretStr(bao.token))
    return TransitSigner(Vault(VaultAddress(url=bao.url, login=login)), key, "transit", folder)


async def test_what_is_signed_verifies_with_the_published_key_alone(kept: Kept, tmp_path: Path) -> None:
    envelope = await kept.signer.sign(STATEMENT, PAYLOAD_TYPE)
    verified = verify_envelope(envelope, (tmp_path / "signing.pub.pem").read_bytes(), output=OUTPUT)
    assert verified.output_checked
    assert kept.folder.keys().ids == (verified.keyid,)


async def test_signing_again_gives_the_same_bytes(kept: Kept) -> None:
    assert await kept.signer.sign(STATEMENT, PAYLOAD_TYPE) == await kept.signer.sign(STATEMENT, PAYLOAD_TYPE)


async def test_an_altered_byte_and_a_foreign_key_are_noticed(kept: Kept, tmp_path: Path) -> None:
    envelope = bytearray(await kept.signer.sign(STATEMENT, PAYLOAD_TYPE))
    with pytest.raises(ProvenanceInvalid, match="another key"):
        verify_envelope(bytes(envelope), KeyFileSigner.open(tmp_path / "stranger.pem").public_key_pem)
    envelope[len(envelope) // 2] ^= 1
    with pytest.raises(ProvenanceInvalid):
        verify_envelope(bytes(envelope), kept.folder.keys())


async def test_a_rotation_counts_from_the_next_signature_and_old_ones_stay_provable(kept: Kept, tmp_path: Path) -> None:
    before = await kept.signer.sign(STATEMENT, PAYLOAD_TYPE)
    keyid = await kept.rotate()
    after = await kept.signer.sign(STATEMENT, PAYLOAD_TYPE)
    assert parse_envelope(after).keyid == keyid != parse_envelope(before).keyid
    keys = kept.folder.keys()
    assert {verify_envelope(envelope, keys).keyid for envelope in (before, after)} == set(keys.ids)
    assert verify_envelope(after, (tmp_path / "signing.pub.pem").read_bytes())
    with pytest.raises(ProvenanceInvalid, match="another key"):
        verify_envelope(before, (tmp_path / "signing.pub.pem").read_bytes())


async def test_transit_says_what_is_wrong_with_its_key(bao: Bao, tmp_path: Path) -> None:
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    with pytest.raises(SigningKeyUnusable, match="bao write -f transit/keys/nowhere type=ed25519"):
        await transit(bao, "nowhere", folder).learn()
    bao.client.secrets.transit.create_key("rsa", key_type="rsa-2048")
    with pytest.raises(SigningKeyUnusable, match="rsa-2048, not ed25519"):
        await transit(bao, "rsa", folder).learn()


async def test_a_server_that_is_away_is_a_fault_that_passes_and_tells_no_secret(bao: Bao, tmp_path: Path) -> None:
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    away = VaultAddress(url="http://127.0.0.1:1", login=TokenLogin(token=SecretStr("hvs.planted")), timeout_seconds=1)
    signer = TransitSigner(Vault(away), "prism", "transit", folder)
    await signer.try_to_learn()
    with pytest.raises(SignerUnavailable) as raised:
        await signer.sign(STATEMENT, PAYLOAD_TYPE)
    assert raised.value.retryable
    assert "planted" not in str(raised.value) + str(raised.value.details)


async def test_a_role_that_may_only_sign_is_enough(bao: Bao, tmp_path: Path) -> None:
    bao.client.secrets.transit.create_key("narrow", key_type="ed25519")
    policy = 'path "transit/sign/narrow" {capabilities=["update"]}\npath "transit/keys/narrow" {capabilities=["read"]}'
    role, secret = bao.app_role("signer", policy, "1h")
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    login = AppRoleLogin(role_id=role, secret_id=SecretStr(secret))
    signer = TransitSigner(Vault(VaultAddress(url=bao.url, login=login)), "narrow", "transit", folder)
    assert verify_envelope(await signer.sign(STATEMENT, PAYLOAD_TYPE), folder.keys())
    with pytest.raises(SignerUnavailable, match="Forbidden"):
        await signer.rotate()


async def test_settings_choose_the_signer(bao: Bao, tmp_path: Path) -> None:
    bao.client.secrets.transit.create_key("chosen", key_type="ed25519")
    settings = Settings(
        home=tmp_path, vault_url=bao.url, vault_token=SecretStr(bao.token), signing_transit_key="chosen"
    )
    signer = await open_signer(settings)
    assert not settings.signing_key.exists()
    first = await signer.sign(STATEMENT, PAYLOAD_TYPE)
    assert verify_envelope(first, settings.public_key.read_bytes())
    keyid = await rotate_signing_key(settings)
    assert parse_envelope(await signer.sign(STATEMENT, PAYLOAD_TYPE)).keyid == keyid
    assert verify_envelope(first, public_keys(settings).keys())
    with pytest.raises(SecretsUnusable, match="PRISM_VAULT_URL"):
        await open_signer(settings.model_copy(update={"vault_url": ""}))


def test_an_altered_public_key_is_refused(tmp_path: Path) -> None:
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    WatchedKeyFile(tmp_path / "signing.pem", folder)
    (file,) = (tmp_path / "public").iterdir()
    file.write_bytes(KeyFileSigner.open(tmp_path / "stranger.pem").public_key_pem)
    with pytest.raises(ProvenanceInvalid, match="not the one that its name says"):
        folder.keys()


async def test_a_key_file_that_goes_away_is_not_replaced_behind_the_back_of_who_signs(tmp_path: Path) -> None:
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    signer = WatchedKeyFile(tmp_path / "signing.pem", folder)
    before = await signer.sign(STATEMENT, PAYLOAD_TYPE)
    (tmp_path / "signing.pem").unlink()
    assert await signer.sign(STATEMENT, PAYLOAD_TYPE) == before
    assert not (tmp_path / "signing.pem").exists()


def test_an_installation_from_before_the_folder_keeps_its_key(tmp_path: Path) -> None:
    old = KeyFileSigner.open(tmp_path / "signing.pem")
    (tmp_path / "signing.pub.pem").write_bytes(old.public_key_pem)
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    assert folder.keys().ids == (old.keyid,)
    new = rotate_key_file(tmp_path / "signing.pem", folder)
    assert set(folder.keys().ids) == {old.keyid, new}


async def test_the_envelope_of_transit_is_plain_dsse(bao: Bao, tmp_path: Path) -> None:
    folder = PublicKeyFolder(tmp_path / "public", tmp_path / "signing.pub.pem")
    bao.client.secrets.transit.create_key("plain", key_type="ed25519")
    envelope = json.loads(await transit(bao, "plain", folder).sign(STATEMENT, PAYLOAD_TYPE))
    assert base64.b64decode(envelope["payload"]) == STATEMENT
    assert envelope["signatures"][0]["keyid"] == folder.keys().ids[0]
