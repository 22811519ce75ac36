"""A run's proof is downloaded at every front door, and verified where there is no Prism at all."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from activities.provenance.bundle import README_FILE
from activities.provenance.keyfile import KeyFileSigner
from api.client import AsyncPrismClient, PrismApiError, PrismClient
from tests.activities.provenance.proofs import SealedRun, packed, unpacked
from tests.api.cli.conftest import Prism
from tests.api.client.seeded import SeededApi


@pytest.fixture
def sealed(seeded_api: SeededApi) -> SealedRun:
    """A run that was sealed with the installation's key, which a worker puts beside it."""
    settings = seeded_api.settings
    signer = KeyFileSigner.open(settings.signing_key)
    settings.public_key.write_bytes(signer.public_key_pem)
    run = SealedRun(settings.home, run="r-sealed")
    asyncio.run(run.whole(signer))
    return run


def test_a_proof_is_downloaded_and_verified_with_and_without_a_key(
    prism_command: Prism, seeded_api: SeededApi, sealed: SealedRun, tmp_path: Path
) -> None:
    online = {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}
    done = prism_command("export", sealed.run, **online)
    assert done.returncode == 0, done.stderr
    assert "prism verify r-sealed.proof.zip" in done.stdout
    seeded_api.stop()
    alone = prism_command("verify", "r-sealed.proof.zip")
    assert alone.returncode == 0, alone.stderr
    assert "not who made it" in " ".join(alone.stdout.split())
    key = str(seeded_api.settings.public_key)
    pinned = prism_command("verify", "r-sealed.proof.zip", "--key", key)
    assert pinned.returncode == 0, pinned.stderr
    assert "by the key you gave" in pinned.stdout
    assert "5 (" in pinned.stdout
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(KeyFileSigner.open(tmp_path / "other.key").public_key_pem)
    refused = prism_command("verify", "r-sealed.proof.zip", "--key", str(stranger))
    assert refused.returncode == 1
    assert "signed by another key" in refused.stdout
    report = json.loads(prism_command("verify", "r-sealed.proof.zip", "--json").stdout)
    assert (report["valid"], report["pinned"], report["rows"], report["sealed"]) == (True, False, 5, 4)
    packed({**unpacked((tmp_path / "r-sealed.proof.zip").read_bytes()), README_FILE: b"?"}, tmp_path / "altered.zip")
    altered = prism_command("verify", "altered.zip")
    assert altered.returncode == 1
    assert "README.txt was altered" in altered.stdout


def test_the_clients_and_plain_http_give_the_same_proof(seeded_api: SeededApi, sealed: SealedRun) -> None:
    async def streamed() -> tuple[bytes, bytes]:
        async with AsyncPrismClient(seeded_api.url, token=seeded_api.token) as client:
            return b"".join([chunk async for chunk in client.stream_proof(sealed.run)]), await client.proof(sealed.run)

    with PrismClient(seeded_api.url, token=seeded_api.token) as client:
        whole = client.proof(sealed.run)
    assert asyncio.run(streamed()) == (whole, whole)
    answer = httpx.get(
        f"{seeded_api.url}/api/v1/runs/{sealed.run}/proof", headers={"authorization": f"Bearer {seeded_api.token}"}
    )
    assert answer.content == whole
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="r-sealed.proof.zip"' in answer.headers["content-disposition"]


def test_a_single_row_is_proven_without_the_others(
    prism_command: Prism, seeded_api: SeededApi, sealed: SealedRun, tmp_path: Path
) -> None:
    online = {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}
    done = prism_command("export", sealed.run, "row-2", "--out", "one.zip", **online)
    assert "row row-2 of run r-sealed" in done.stdout
    assert b"row-3" not in b"".join(unpacked((tmp_path / "one.zip").read_bytes()).values())
    assert "row-2 (only this one)" in prism_command("verify", "one.zip").stdout
    missing = prism_command("export", sealed.run, "row-9", "--out", "none.zip", **online)
    assert missing.returncode == 1
    assert "has no row row-9" in missing.stderr
    assert not (tmp_path / "none.zip").exists()


def test_pages_offer_the_proof_of_what_is_sealed_and_of_nothing_else(seeded_api: SeededApi, sealed: SealedRun) -> None:
    seeded_api.open_run("r1", ["a"])
    seeded_api.end_row("r1", "a", "An answer")
    seeded_api.end_run("r1")
    with httpx.Client(
        base_url=seeded_api.url, headers={"authorization": f"Bearer {seeded_api.token}"}, timeout=60
    ) as client:
        assert 'href="/api/v1/runs/r-sealed/proof" download' in client.get("/runs/r-sealed").text
        assert 'href="/api/v1/runs/r-sealed/proof?row=row-1" download' in client.get("/runs/r-sealed/rows/row-1").text
        assert "/proof" not in client.get("/runs/r1").text + client.get("/runs/r1/rows/a").text


def test_a_run_without_a_seal_of_its_end_has_no_proof_and_is_told_why(
    prism_command: Prism, seeded_api: SeededApi, tmp_path: Path
) -> None:
    seeded_api.open_run("r1", ["a"])
    online = {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}
    running = prism_command("export", "r1", **online)
    assert running.returncode == 1
    assert "has not ended" in running.stderr
    seeded_api.end_run("r1")
    assert "has no seal of its end" in prism_command("export", "r1", **online).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    with PrismClient(seeded_api.url, token=seeded_api.token) as client, pytest.raises(PrismApiError, match="no run"):
        client.proof("nothing")


def test_a_file_that_is_no_proof_or_not_there_is_refused(prism_command: Prism, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    assert "not proven" in prism_command("verify", "text").stdout
    missing = prism_command("verify", "nowhere.zip")
    assert missing.returncode == 2
    assert "no file nowhere.zip" in missing.stderr
    wrong = prism_command("verify", "text", "--key", "text")
    assert wrong.returncode == 2
    assert "not in PEM form" in wrong.stderr
