"""Files of programs are listed, downloaded, shown and verified, online and from files alone."""

import json
from pathlib import Path

import httpx
import pytest

from activities.artifacts.contracts import Text, digest_of
from activities.artifacts.files import Files, Snapshot
from activities.provenance.activity import ProvenanceActivities
from activities.provenance.contracts import SealRequest
from activities.provenance.keyfile import KeyFileSigner
from activities.records.contracts import RowRecord, RowState
from temporal.contract import StepRef
from tests.api.cli.conftest import Prism
from tests.api.client.seeded import SeededApi, at

LEFT = {"report.csv": b"1\n", "charts/a b.svg": b"<svg/>"}
OUTPUT = "An answer."


async def end(api: SeededApi) -> None:
    """Seal and record the row as its workflow does."""
    stores, settings = api.services.stores, api.settings
    left: Snapshot = await Files(stores.artifacts).keep(LEFT)
    signer = KeyFileSigner.open(settings.signing_key)
    settings.public_key.write_bytes(signer.public_key_pem)
    digest = digest_of(OUTPUT.encode())
    step = StepRef(run="r1", row="team/a", step="provenance")
    request = SealRequest(
        step=step, output=digest, row_digest=digest, plan=digest, decision_digest=digest, policy=digest, files=left
    )
    seal = await ProvenanceActivities(signer, stores.artifacts).seal(request)
    record = RowRecord(
        step=step,
        state=RowState.SUCCEEDED,
        started_at=at(1),
        finished_at=at(3),
        output=Text.by_value(OUTPUT),
        envelope=seal.envelope,
        files=left,
    )
    await stores.keeper.record_row(record)


@pytest.fixture
def reached(seeded_api: SeededApi) -> dict[str, str]:
    """The environment in which ``prism`` reaches a server that has a row with files."""
    seeded_api.open_run("r1", ["team/a", "b"])
    seeded_api.do(end(seeded_api))
    return {"PRISM_API_URL": seeded_api.url, "PRISM_API_TOKEN": seeded_api.token}


def test_files_are_listed_downloaded_and_shown(
    prism_command: Prism, reached: dict[str, str], seeded_api: SeededApi, tmp_path: Path
) -> None:
    assert "charts/a b.svg" in prism_command("row", "r1", "team/a", **reached).stdout
    listed = json.loads(prism_command("files", "r1", "team/a", "--json", **reached).stdout)
    assert {one["path"]: (one["digest"], one["size"]) for one in listed} == {
        path: (digest_of(data), len(data)) for path, data in LEFT.items()
    }
    done = prism_command("files", "r1", "team/a", "--out", "left", **reached)
    assert "2 files are in left" in done.stdout
    found = [path for path in (tmp_path / "left").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "left").as_posix(): path.read_bytes() for path in found} == LEFT
    assert "row b has no files" in prism_command("files", "r1", "b", **reached).stdout
    headers = {"authorization": f"Bearer {seeded_api.token}"}
    page = httpx.get(f"{seeded_api.url}/runs/r1/rows/team/a", headers=headers, timeout=60)
    report = digest_of(LEFT["report.csv"])
    assert f'href="/api/v1/artifacts/{report}" download="report.csv"' in page.text


def test_a_changed_or_missing_file_is_noticed_online(
    prism_command: Prism, reached: dict[str, str], seeded_api: SeededApi
) -> None:
    assert "report.csv" in prism_command("verify", "r1", "team/a", **reached).stdout
    name = digest_of(b"1\n").removeprefix("sha256:")
    stored = seeded_api.settings.artifacts / name[:2] / name[2:]
    for damage, why in ((lambda: stored.write_bytes(b"2\n"), "altered"), (stored.unlink, "no artifact")):
        damage()
        done = prism_command("verify", "r1", "team/a", **reached)
        assert done.returncode == 1
        told = " ".join(done.stdout.split())
        assert "the file report.csv is missing or was changed" in told
        assert why in told


def test_a_folder_of_files_is_verified_from_files_alone(
    prism_command: Prism, reached: dict[str, str], seeded_api: SeededApi, tmp_path: Path
) -> None:
    envelope = json.loads(prism_command("row", "r1", "team/a", "--json", **reached).stdout)["envelope"]
    name = envelope.removeprefix("sha256:")
    prism_command("files", "r1", "team/a", "--out", "left", **reached)
    files = ("--envelope", str(seeded_api.settings.artifacts / name[:2] / name[2:]))
    offline = ("verify", *files, "--key", str(seeded_api.settings.public_key), "--files", "left")
    done = prism_command(*offline)
    assert done.returncode == 0, done.stderr
    left = tmp_path / "left"
    for change, why in (
        (lambda: (left / "new").write_bytes(b"x"), "the file new was added: it was not sealed"),
        (lambda: (left / "report.csv").write_bytes(b"2"), "the file report.csv is not the one that was sealed"),
        ((left / "report.csv").unlink, "the file report.csv is missing"),
    ):
        change()
        done = prism_command(*offline)
        assert done.returncode == 1
        assert why in " ".join(done.stdout.split())
