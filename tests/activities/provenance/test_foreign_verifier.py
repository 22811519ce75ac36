"""Somebody who has nothing of Prism verifies a run's proof, with the library that in-toto's own tools stand on."""

import json
import subprocess
import sys
import sysconfig
from importlib.metadata import files
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.provenance.keyfile import KeyFileSigner
from tests.activities.provenance.proofs import SealedRun

VERIFIER = Path(__file__).with_name("foreign_verifier.py")
NEEDED = ("securesystemslib", "cryptography", "cffi", "pycparser")
OURS = {"activities", "workflows", "workers", "api", "catalogs", "temporal", "policies", "tests"}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the verifier's packages and no others."""
    folder = tmp_path_factory.mktemp("elsewhere")
    parts = {file.parts[0] for package in NEEDED for file in files(package) or ()} - {".."}
    for part in parts:
        (folder / part).symlink_to(Path(sysconfig.get_path("platlib")) / part)
    return folder


def verify(elsewhere: Path, *arguments: Path) -> "subprocess.CompletedProcess[str]":
    """Run the verifier: isolated from this environment's packages, folder and variables."""
    start = "import sys, runpy; sys.path.append(sys.argv[1]); del sys.argv[:2]; runpy.run_path(sys.argv[0])"
    command = [sys.executable, "-I", "-S", "-c", start, str(elsewhere), str(VERIFIER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=elsewhere, env={}, timeout=60, check=False)


async def test_a_foreign_verifier_accepts_the_proof_and_only_with_its_key(elsewhere: Path, tmp_path: Path) -> None:
    signer, stranger = (KeyFileSigner(Ed25519PrivateKey.generate()) for _ in range(2))
    run = SealedRun(tmp_path)
    await run.whole(signer)
    proof, key, other = tmp_path / "proof.zip", tmp_path / "key.pem", tmp_path / "other.pem"
    proof.write_bytes(await run.proof(signer.public_key_pem))
    key.write_bytes(signer.public_key_pem)
    other.write_bytes(stranger.public_key_pem)
    done = verify(elsewhere, proof, key)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["verified"]) == (5, 4)
    assert "securesystemslib" in told["loaded"]
    assert not OURS & set(told["loaded"])
    refused = verify(elsewhere, proof, other)
    assert refused.returncode != 0
    assert "VerificationError" in refused.stderr
