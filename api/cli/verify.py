"""The command ``prism verify``."""

from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.verify import verify_envelope
from api.cli import tables, text
from api.cli.session import Session, with_session
from api.models import Verification

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("run", required=False)
@click.argument("row", required=False)
@click.option("--envelope", type=FILE, help="Offline: the DSSE envelope.")
@click.option("--key", type=FILE, help="Offline: the public key, in PEM.")
@click.option("--output", type=FILE, help="Offline: the output that the envelope should be about.")
@with_session
def verify(
    session: Session, run: str | None, row: str | None, envelope: Path | None, key: Path | None, output: Path | None
) -> None:
    """Verify a row's provenance, online or offline.

    Online: RUN and ROW. Offline: --envelope and --key, from files alone. Exit code 1 when it does not hold.
    """
    if envelope and key and not (run or row):
        found = _offline(envelope, key, output)
    elif run and row and not (envelope or key or output):
        with session.client() as client:
            found = client.verify(run, row)
    else:
        raise click.UsageError("give RUN and ROW, or --envelope FILE and --key FILE")
    session.show(found, *_told(found))
    if not found.valid:
        raise SystemExit(1)


def _offline(envelope: Path, key: Path, output: Path | None) -> Verification:
    try:
        verified = verify_envelope(
            envelope.read_bytes(), key.read_bytes(), output=output.read_bytes() if output else None
        )
    except ProvenanceInvalid as error:
        return Verification(valid=False, reason=error.message)
    return Verification(valid=True, **verified.model_dump())


def _told(found: Verification) -> list[RenderableType]:
    if not found.valid:
        return [Text.assemble(("✗ not proven: ", "bold red"), found.reason)]
    about = "this output" if found.output_checked else "the output with this digest (the output itself was not checked)"
    pairs = [("output", found.output), ("key", found.keyid)]
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
