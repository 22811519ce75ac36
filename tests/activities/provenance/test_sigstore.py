"""Seals of runs that an identity signs too, by sigstore's own library against an instance of tests."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.provenance.bundle_verify import BundleReport, verify_bundle
from activities.provenance.contracts import SignerUnavailable
from activities.provenance.keyfile import KeyFileSigner
from activities.provenance.keys import KeySet
from activities.provenance.run_statement import SIGSTORE_FILE
from activities.provenance.sigstore_signer import SigstoreCountersigner
from activities.provenance.sigstore_verify import SigstoreVerifier
from tests.activities.provenance.proofs import SealedRun, packed, unpacked
from tests.activities.provenance.sigstore_instance import ISSUER, Instance, sigstore_instance

ANA = "https://example.org/ana"
KEY = KeyFileSigner(Ed25519PrivateKey.generate())


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with sigstore_instance() as made:
        yield made


@pytest.fixture
def trust(instance: Instance, tmp_path: Path) -> Path:
    instance.broken = ""
    return instance.trust(tmp_path / "trust.json")


def countersigner(instance: Instance, trust: Path, token: str = "") -> SigstoreCountersigner:
    file = trust.with_name("token")
    file.write_text(token or instance.token(ANA))
    return SigstoreCountersigner(file, trust, seconds=60)


@dataclasses.dataclass(frozen=True)
class Proof:
    """A countersigned proof under test."""

    path: Path
    trust: Path

    def by(self, identity: str = ANA, issuer: str = ISSUER) -> BundleReport:
        return verify_bundle(self.path, None, SigstoreVerifier(identity, issuer, self.trust))

    def altered(self, files: dict[str, bytes]) -> "Proof":
        return Proof(packed(files, self.path.with_name("altered.zip")), self.trust)


@pytest.fixture(scope="module")
async def proof(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """The proof of a run that was retried after its end, so it has two seals."""
    home = tmp_path_factory.mktemp("sealed")
    trust = instance.trust(home / "trust.json")
    run = SealedRun(home, countersigner=countersigner(instance, trust))
    await run.whole(KEY)
    await run.seal(KEY, sequence=2)
    path = home / "run.proof.zip"
    path.write_bytes(await run.proof(KEY.public_key_pem))
    return Proof(path, trust)


async def test_who_signed_is_proven_offline_from_the_proof_and_a_root_of_trust(proof: Proof) -> None:
    report = proof.by()
    assert (report.valid, report.reason, report.number) == (True, "", 2)
    assert (report.identity, report.pinned, report.countersigned) == (ANA, False, True)
    assert verify_bundle(proof.path, KeySet([KEY.public_key_pem])).countersigned


def test_the_command_line_proves_it_too(proof: Proof) -> None:
    def verified(*options: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "api.cli.main", "verify", proof.path, *options]
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)

    done = verified("--identity", ANA, ISSUER, "--trust", proof.trust)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"✓ proven: every signature, row and byte is as it was sealed, by {ANA}" in done.stdout
    assert "by whom was not checked" in verified().stdout
    refused = verified("--identity", "https://example.org/bob", ISSUER, "--trust", proof.trust)
    assert (refused.returncode, "✗ not proven" in refused.stdout) == (1, True)


async def test_somebody_else_or_another_issuer_is_refused(proof: Proof) -> None:
    assert "SANs do not match https://example.org/bob" in proof.by("https://example.org/bob").reason
    assert "what sigstore signed does not hold" in proof.by(issuer="https://else.example").reason


async def test_another_root_of_trust_is_refused(proof: Proof, tmp_path: Path) -> None:
    with sigstore_instance() as stranger:
        report = Proof(proof.path, stranger.trust(tmp_path / "stranger.json")).by()
    assert not report.valid
    assert "what sigstore signed does not hold" in report.reason


async def test_what_is_taken_away_altered_or_added_is_noticed_without_asking_who_signed(proof: Proof) -> None:
    files = unpacked(proof.path.read_bytes())
    first, second = files[SIGSTORE_FILE].splitlines(keepends=True)
    for lines in (b"", first, second + first, first + second + second, first + second.replace(b"0", b"1", 1)):
        report = verify_bundle(proof.altered(files | {SIGSTORE_FILE: lines}).path)
        assert not report.valid
        assert "sigstore" in report.reason
    del files[SIGSTORE_FILE]
    assert not verify_bundle(proof.altered(files).path).valid


async def test_a_proof_that_a_key_alone_signed_does_not_pass_for_one_by_an_identity(
    proof: Proof, tmp_path: Path
) -> None:
    run = SealedRun(tmp_path)
    await run.whole(KEY)
    path = tmp_path / "run.proof.zip"
    path.write_bytes(await run.proof(KEY.public_key_pem))
    assert verify_bundle(path).valid
    assert Proof(path, proof.trust).by().reason == f"seal 1 was signed by a key alone, not by {ANA} too"


async def test_without_its_servers_a_run_is_not_sealed_at_all(instance: Instance, trust: Path, tmp_path: Path) -> None:
    run = SealedRun(tmp_path, countersigner=countersigner(instance, trust))
    instance.broken = "log"
    with pytest.raises(SignerUnavailable, match="503") as refused:
        await run.whole(KEY)
    assert refused.value.retryable
    assert await run.seals.of(run.run) == []
    instance.broken = ""
    await run.seal(KEY)
    assert len(await run.seals.of(run.run)) == 1


async def test_an_authority_that_is_out_of_order_is_told(instance: Instance, trust: Path) -> None:
    instance.broken = "authority"
    with pytest.raises(SignerUnavailable, match="503"):
        await countersigner(instance, trust).countersign(b"{}")


async def test_servers_that_cannot_be_reached_or_answer_nothing_are_told(
    instance: Instance, trust: Path, tmp_path: Path
) -> None:
    told = json.loads(trust.read_text())
    for service in ("caUrls", "rekorTlogUrls"):
        told["signingConfig"][service][0]["url"] = "http://127.0.0.1:1"
    trust.write_text(json.dumps(told))
    with pytest.raises(SignerUnavailable, match="a server of sigstore cannot be reached"):
        await countersigner(instance, trust).countersign(b"{}")
    slow = SigstoreCountersigner(trust.with_name("token"), trust, seconds=0.01)
    with pytest.raises(SignerUnavailable, match=r"did not sign within 0\.01 s"):
        await slow.countersign(b"{}")


async def test_a_token_that_cannot_be_used_is_told_without_the_token(
    instance: Instance, trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Instance().token(ANA)
    for token, told in ((stranger, "401"), ("nonsense-token", "malformed"), (instance.token(ANA, -60), "malformed")):
        with pytest.raises(SignerUnavailable, match=told) as refused:
            await countersigner(instance, trust, token).countersign(b"{}")
        assert token not in refused.value.message
    with pytest.raises(SignerUnavailable, match="cannot be read: No such file"):
        await SigstoreCountersigner(trust.with_name("absent"), trust).countersign(b"{}")
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SignerUnavailable, match="identity token"):
        await SigstoreCountersigner(None, trust).countersign(b"{}")


def test_the_public_instance_is_known_without_asking_anybody() -> None:
    assert SigstoreVerifier(ANA, ISSUER).identity == ANA
