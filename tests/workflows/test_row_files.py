"""Files of programs: kept, handed to the rows that depend on them, scanned, signed; a failed program's are undone."""

import csv
import io
import json
from pathlib import Path

from activities.artifacts.contracts import digest_of
from activities.artifacts.files import StoredFile, snapshot_of
from activities.provenance.bundle import bundle
from activities.provenance.bundle_verify import verify_bundle
from activities.provenance.keys import KeySet
from activities.provenance.register import SqlRunSeals
from activities.provenance.verify import Verified, verify_envelope
from activities.records.contracts import RowState, RunState
from activities.reviews.contracts import DecisionKind, ReviewDecision
from tests.activities.provenance.proofs import packed, unpacked
from tests.installation import Installation, Run
from workflows.contracts import RowProgress
from workflows.row import RowWorkflow

MAKE = "import os\nos.makedirs('out')\nopen('report.csv', 'w').write('1\\n')\nopen('out/x.bin', 'wb').write(b'\\0\\1')"
SECOND = 2
KEY = "'aws_access_key_id = ' + 'AKIA' + 'QWERTYUIOP234567'"


def catalog(*rows: dict[str, str]) -> str:
    filled = [{"objective": "Do it", "language": "python", **row} for row in rows]
    written = io.StringIO()
    table = csv.DictWriter(written, sorted({name for row in filled for name in row}), restval="")
    table.writeheader()
    table.writerows(filled)
    return written.getvalue()


def listed(prism: Installation, run: Run, row: str) -> dict[str, str]:
    found = prism.query("SELECT files FROM rows WHERE run = :run AND row = :row", run=run.run, row=row)[0]
    return {one["path"]: one["digest"] for one in json.loads(found["files"])}


def told(prism: Installation, run: Run, row: str, step: str) -> list[dict[str, object]]:
    steps = prism.query(
        "SELECT detail FROM steps WHERE run = :run AND row = :row AND step = :step ORDER BY attempt, ordinal",
        run=run.run, row=row, step=step,
    )  # fmt: skip
    return [json.loads(one["detail"]) for one in steps]


async def verified(prism: Installation, run: Run, row: str) -> Verified:
    kept = prism.query("SELECT envelope FROM rows WHERE run = :run AND row = :row", run=run.run, row=row)[0]
    return verify_envelope(await prism.stores.artifacts.get(kept["envelope"]), prism.settings.public_key.read_bytes())


def manifest(files: dict[str, bytes]) -> str:
    return snapshot_of(
        StoredFile(path=path, digest=digest_of(data), size=len(data)) for path, data in files.items()
    ).manifest


def in_second_round(progress: RowProgress) -> bool:
    return progress.state is RowState.REVIEW and progress.outcome is not None and progress.outcome.round == SECOND


async def proof(prism: Installation, run: Run, folder: Path) -> tuple[Path, KeySet]:
    seals = await SqlRunSeals(prism.stores.engine).of(run.run)
    key = KeySet([prism.settings.public_key.read_bytes()])
    path = folder / "run.proof.zip"
    path.write_bytes(b"".join([part async for part in bundle(seals, prism.stores.artifacts, key)]))
    return path, key


async def test_files_go_from_row_to_row_and_into_statement_and_proof(prism: Installation, tmp_path: Path) -> None:
    use = "import os\nprint(open('inputs/a/report.csv').read(), sorted(os.listdir()))\nopen('used', 'w').write('u')"
    go_on = "open('report.csv', 'a').write('2\\n')\nopen('other', 'w').close()"
    run = await prism.start(
        catalog(
            {"id": "a", "code": MAKE, "files": "*.csv; out/**"},
            {"id": "b", "code": use, "files": "used", "depends_on": "a"},
            {"id": "c/d", "code": go_on, "files": "report.csv", "workspace": "a"},
            {"id": "e", "code": "print(open('inputs/c/d/report.csv').read())", "depends_on": "c/d"},
        )
    )
    assert (await run.result()).state is RunState.COMPLETED
    one, two, data = digest_of(b"1\n"), digest_of(b"1\n2\n"), digest_of(b"\0\1")
    assert listed(prism, run, "a") == {"out/x.bin": data, "report.csv": one}
    assert listed(prism, run, "b") == {"used": digest_of(b"u")}
    assert listed(prism, run, "c/d") == {"report.csv": two}
    assert listed(prism, run, "e") == {}
    assert await prism.stores.artifacts.get(data) == b"\0\1"
    (used,), (last,) = told(prism, run, "b", "code"), told(prism, run, "e", "code")
    assert await prism.stores.artifacts.get(used["stdout"]["digest"]) == b"1\n ['inputs']\n"  # type: ignore[index]
    assert await prism.stores.artifacts.get(last["stdout"]["digest"]) == b"1\n2\n\n"  # type: ignore[index]
    (went_on,) = told(prism, run, "c/d", "code")
    assert went_on["before"]["manifest"] == manifest({"report.csv": b"1\n", "out/x.bin": b"\0\1"})  # type: ignore[index]
    assert went_on["files"]["manifest"] == manifest({"report.csv": b"1\n2\n"})  # type: ignore[index]
    stated = await verified(prism, run, "a")
    assert stated.files == listed(prism, run, "a")
    assert stated.statement["subject"][1]["name"] == f"{run.run}/a#out/x.bin"
    path, key = await proof(prism, run, tmp_path)
    report = verify_bundle(path, key)
    assert (report.valid, report.reason, report.files) == (True, "", 4)
    whole = unpacked(path.read_bytes())
    name = f"files/{one.removeprefix('sha256:')}"
    for files, why in (
        ({**whole, name: b"1\r"}, "the file report.csv of row a was altered"),
        ({key: value for key, value in whole.items() if key != name}, "the file report.csv of row a is missing"),
        ({**whole, "files/" + "0" * 64: b"x"}, f"the file files/{'0' * 64} was added: no row has it"),
        ({**whole, "files/README.txt": b"x"}, "files/README.txt is missing or was altered"),
    ):
        assert verify_bundle(packed(files, tmp_path / "tampered.zip"), key).reason == why


async def test_each_round_of_a_review_and_each_retry_begins_with_the_same_files(prism: Installation) -> None:
    append = "open('report.csv', 'a').write('2\\n')"
    fail = "open('report.csv', 'a').write('3\\n')\nraise SystemExit(3)"
    run = await prism.start(
        catalog(
            {"id": "a", "code": MAKE, "files": "report.csv"},
            {"id": "b", "code": append, "files": "*", "workspace": "a", "review": "required"},
            {"id": "c", "code": fail, "files": "*", "workspace": "a"},
            {"id": "d", "code": "import os; os.symlink('/etc/passwd', 'p')", "files": "*"},
        )
    )
    await run.row_reaches("b", lambda progress: progress.state is RowState.REVIEW)
    assert listed(prism, run, "b") == {"report.csv": digest_of(b"1\n2\n")}
    change = ReviewDecision(by="ana", kind=DecisionKind.REQUEST_CHANGES, comment="again")
    await run.row("b").execute_update(RowWorkflow.decide, change)
    await run.row_reaches("b", in_second_round)
    await run.row("b").signal(RowWorkflow.approve, ReviewDecision(by="ana", round=2))
    assert (await run.result()).state is RunState.COMPLETED_WITH_FAILURES
    first, second = told(prism, run, "b", "code")
    assert first["before"] == second["before"]
    assert first["files"] == second["files"]
    assert listed(prism, run, "b") == {"report.csv": digest_of(b"1\n2\n")}
    assert listed(prism, run, "c") == listed(prism, run, "d") == {}
    assert (await verified(prism, run, "c")).files == {}
    rows = prism.query("SELECT row, code, message FROM rows WHERE run = :run AND code <> ''", run=run.run)
    assert {row["row"]: (row["code"], row["message"]) for row in rows} == {
        "c": ("CODE_FAILED", "the program ended with error, exit code 3: "),
        "d": ("CODE_FAILED", "the program ended well, but its files cannot be kept: p is a symbolic link"),
    }


async def test_a_secret_in_a_file_counts_as_one_in_the_output(prism: Installation) -> None:
    leak = f"open('notes.txt', 'w').write('x\\n' + {KEY})"
    run = await prism.start(
        catalog({"id": "a", "code": leak, "files": "*"}, {"id": "b", "code": leak, "files": "*", "scan": "none"})
    )
    await run.result()
    assert prism.states(run) == {"a": "failed", "b": "succeeded"}
    (leaked,) = prism.query("SELECT code, message FROM rows WHERE run = :run AND row = 'a'", run=run.run)
    assert leaked == {
        "code": "SECRETS_IN_OUTPUT",
        "message": "secrets in the files: aws-access-token on line 2 of notes.txt",
    }
    (scan,) = told(prism, run, "a", "files-scan")
    (found,) = json.loads(await prism.stores.artifacts.get(str(scan["sarif"])))["runs"]
    (place,) = found["results"][0]["locations"]
    assert place["physicalLocation"] == {"artifactLocation": {"uri": "notes.txt"}, "region": {"startLine": 2}}
