"""The commands ``prism export`` and ``prism verify``."""

from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from activities.artifacts.contracts import digest_of
from activities.provenance.bundle_verify import BundleReport, verify_bundle
from activities.provenance.contracts import CountersignatureVerifier, ProvenanceInvalid
from activities.provenance.keys import KeySet
from activities.provenance.verify import check_files, verify_envelope
from api.cli import tables, text
from api.cli.look import write
from api.cli.session import Session, with_session
from api.models import Verification

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("run")
@click.argument("row", required=False)
@click.option("--out", "file", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [RUN.proof.zip]")
@with_session
def export(session: Session, run: str, row: str | None, file: Path | None) -> None:
    """Download the proof of a run, which holds without Prism.

    With ROW it is the proof of that row alone: who gets it learns nothing of the others, yet that it is one of them.

    In it are the run's seal, every row's signed statement and the public keys. 'prism verify FILE' needs no network,
    and other verifiers of DSSE can check it too.
    """
    place = file or Path(f"{run}.proof.zip")
    with session.client() as client:
        write(place, client.stream_proof(run, row or ""))
    what = f"row {text.safe(row)} of run {text.safe(run)}" if row else f"run {text.safe(run)}"
    told = Text.assemble((f"✓ {place} proves {what}", "green"), f"; verify it: prism verify {place}")
    session.show({"run": run, "row": row or "", "file": str(place)}, told)


@click.command()
@click.argument("run", required=False)
@click.argument("row", required=False)
@click.option("--envelope", type=FILE, help="Offline: the DSSE envelope.")
@click.option("--key", "keys", type=FILE, multiple=True, help="Offline: a public key that counts, in PEM.")
@click.option("--identity", nargs=2, metavar="NAME ISSUER", help="Offline: who must have signed by sigstore too.")
@click.option("--trust", type=FILE, help="Offline: root of trust of another sigstore than the public one.")
@click.option("--output", type=FILE, help="Offline: the output that the envelope should be about.")
@click.option("--files", type=FOLDER, help="Offline: the folder of files that the envelope should be about.")
@with_session
def verify(  # noqa: PLR0913, PLR0917 -- each is an option of the command
    session: Session,
    run: str | None,
    row: str | None,
    envelope: Path | None,
    keys: tuple[Path, ...],
    output: Path | None,
    identity: tuple[str, str] | None,
    trust: Path | None,
    files: Path | None,
) -> None:
    """Verify a row's provenance, or the proof of a whole run.

    Online: RUN and ROW. Offline: the file that 'prism export' wrote, with --key to say whose signature counts, or
    --identity where sigstore signed it too; or --envelope and --key. Exit code 1 when it does not hold.
    """
    if run and not (row or envelope or output or files):
        _bundle(session, Path(run), keys, _verifier(*identity, trust) if identity else None)
        return
    if identity or trust:
        raise click.UsageError("--identity and --trust are for the file of a run's proof")
    if envelope and keys and not (run or row):
        found = _offline(envelope, keys, output, files)
    elif run and row and not (envelope or keys or output or files):
        with session.client() as client:
            found = client.verify(run, row)
    else:
        raise click.UsageError("give RUN and ROW, or the file of a run's proof, or --envelope FILE and --key FILE")
    session.show(found, *_told(found))
    if not found.valid:
        raise SystemExit(1)


def _verifier(identity: str, issuer: str, trust: Path | None) -> CountersignatureVerifier:
    # Its libraries take a second to load, for who asks for them.
    from activities.provenance.sigstore_verify import SigstoreVerifier  # noqa: PLC0415 -- see above

    try:
        return SigstoreVerifier(identity, issuer, trust)
    except ProvenanceInvalid as error:
        raise click.UsageError(error.message) from error


def _bundle(session: Session, file: Path, keys: tuple[Path, ...], identity: CountersignatureVerifier | None) -> None:
    if not file.is_file():
        raise click.UsageError(f"there is no file {file}: give RUN and ROW, or the file that 'prism export' wrote")
    report = verify_bundle(file, _key_set(keys) if keys else None, identity)
    session.show(report, *_proven(report))
    if not report.valid:
        raise SystemExit(1)


def _key_set(keys: tuple[Path, ...]) -> KeySet:
    try:
        return KeySet(key.read_bytes() for key in keys)
    except ProvenanceInvalid as error:
        raise click.UsageError(error.message) from error


def _proven(report: BundleReport) -> list[RenderableType]:
    if not report.valid:
        return [Text.assemble(("✗ not proven: ", "bold red"), text.safe(report.reason))]
    counts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(report.counts.items()))
    pairs = [
        ("run", text.safe(f"{report.run} {report.title}".strip())),
        *([("row", f"{text.safe(report.row)} (only this one)")] if report.row else []),
        ("ended", f"{report.state.replace('_', ' ')}, {report.finished_at}"),
        ("rows", f"{report.rows} ({counts}); {report.sealed} have a signed statement"),
        *([("files", f"{report.files}, left by programs")] if report.files else []),
        *([("seal", f"number {report.number}: rows were retried after it had ended")] if report.number > 1 else []),
        ("catalog", text.safe(report.catalog)),
        ("root", report.root),
        ("keys", ", ".join(report.keys)),
        *([("sigstore", _countersigned(report))] if report.countersigned else []),
    ]
    whole = "every signature, row and byte is as it was sealed"
    known = ("the key you gave" if report.pinned else "", text.safe(report.identity))
    if any(known):
        told = f"{whole}, by {' and '.join(filter(None, known))}"
        return [Text.assemble(("✓ proven: ", "bold green"), told), tables.facts(pairs)]
    warning = (
        "The key came with the file, so this shows that the proof is whole, not who made it: "
        "get the public key from whoever ran the catalog, and give it with --key."
    )
    return [
        Text.assemble(("✓ whole: ", "bold green"), whole),
        tables.facts(pairs),
        Text.assemble(("! ", "bold yellow"), warning),
    ]


def _countersigned(report: BundleReport) -> str:
    if report.identity:
        return f"signed by {text.safe(report.identity)}"
    return "signed too; by whom was not checked: give --identity"


def _offline(envelope: Path, keys: tuple[Path, ...], output: Path | None, files: Path | None) -> Verification:
    try:
        verified = verify_envelope(
            envelope.read_bytes(),
            KeySet(key.read_bytes() for key in keys),
            output=output.read_bytes() if output else None,
        )
        if files is not None:
            check_files(verified.files, _digests(files))
    except ProvenanceInvalid as error:
        return Verification(valid=False, reason=error.message)
    return Verification(valid=True, files_checked=files is not None, **verified.model_dump())


def _digests(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path.read_bytes()) for path in found}


def _told(found: Verification) -> list[RenderableType]:
    if not found.valid:
        return [Text.assemble(("✗ not proven: ", "bold red"), found.reason)]
    about = "this output" if found.output_checked else "the output with this digest (the output itself was not checked)"
    pairs = [("output", found.output), ("key", found.keyid)]
    unchecked = "" if found.files_checked else "  (the file itself was not checked)"
    pairs += [("file", f"{text.safe(path)}  {digest}{unchecked}") for path, digest in found.files.items()]
    definition = found.statement.get("predicate", {}).get("buildDefinition", {})
    made, within = definition.get("externalParameters", {}), definition.get("internalParameters", {})
    pairs += [(name, text.safe(str(made[name]))) for name in ("run", "row", "plan") if made.get(name)]
    pairs.append(("models", text.snippet(", ".join(map(str, within.get("models", []))) or "-")))
    pairs.append(("policy decision", text.snippet(str(within.get("decision", "-")))))
    pairs += [("criterion", text.snippet(_verdict(verdict))) for verdict in within.get("verdicts", [])]
    return [
        Text.assemble(("✓ signed: ", "bold green"), f"the envelope is whole and about {about}"),
        tables.facts(pairs),
    ]


def _verdict(verdict: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in verdict.values())
