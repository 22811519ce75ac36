"""The commands ``prism policy``; all but ``report`` need no server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import click
from rich.console import RenderableType
from rich.text import Text

from activities.policy.bundle import RegoBundle
from activities.policy.explain import Explanation, HeldRule, explain
from activities.policy.folder import AUTHORISATION, PolicyFolder, admission_only, read_policies
from activities.policy.rego_tests import RegoReport, run_rego_tests
from api.cli import tables, text
from api.cli.look import write
from api.cli.session import Session, with_session
from workers.policy import POLICIES

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FROM: Final = click.option("--policies", "folder", type=FOLDER, default=POLICIES, help="Folder.  [default: Prism's]")
PACKAGE: Final = click.argument("package")
INPUT: Final = click.argument("document", metavar="FILE", type=click.File(encoding="utf-8"))


@click.group()
def policy() -> None:
    """Test, ask, explain and pack the policies."""


@policy.command()
@FROM
@with_session
def test(session: Session, folder: Path) -> None:
    """Run the Rego tests; exit code 1 when one fails."""
    report = run_rego_tests(read_policies(folder))
    session.show(report, *_tested(report))
    if report.failed:
        raise SystemExit(1)


@policy.command(name="eval")
@PACKAGE
@INPUT
@FROM
@with_session
def eval_(session: Session, package: str, document: TextIO, folder: Path) -> None:
    """Show what PACKAGE (catalog, admission, release, authz) decides on the JSON in FILE, or - for standard input."""
    entry = f"{_known(folder, package)}.decision"
    found = RegoBundle(read_policies(folder, _deciding_with(package)), (entry,))
    decision = found.evaluate(entry, _document(document))
    session.show({"decision": decision, "policy": found.digest}, _facts(decision, found.digest))


@policy.command(name="explain")
@PACKAGE
@INPUT
@FROM
@with_session
def explain_(session: Session, package: str, document: TextIO, folder: Path) -> None:
    """Show which rules of PACKAGE held for the JSON input in FILE, or - for standard input."""
    policies = read_policies(folder, _deciding_with(_known(folder, package)))
    found = explain(policies, package, _document(document))
    session.show(found, *_explained(found))


@policy.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@FROM
@with_session
def bundle(session: Session, file: Path, folder: Path) -> None:
    """Write the policies of catalogs, rows and outputs to FILE, as a bundle for an OPA server (see PRISM_OPA_URL)."""
    policies = read_policies(folder, admission_only)
    file.write_bytes(policies.bundle())
    told = f"{text.plural(len(policies.modules), 'policy').replace('policys', 'policies')} in {file}"
    session.show({"file": str(file), "policy": policies.digest}, Text(told), Text(policies.digest, style="dim"))


@policy.command()
@click.argument("run")
@click.option(
    "--format", "form", type=click.Choice(["html", "csv"]), help="A page, or a table.  [default: by --out's ending]"
)
@click.option(
    "--out", "file", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [RUN.compliance.html]"
)
@with_session
def report(session: Session, run: str, form: Literal["html", "csv"] | None, file: Path | None) -> None:
    """Download who decided what on each row of RUN: policy and people, with reasons.

    The system must be up: prism up.
    """
    chosen: Literal["html", "csv"] = form or ("csv" if file is not None and file.suffix == ".csv" else "html")
    place = file or Path(f"{run}.compliance.{chosen}")
    with session.client() as client:
        write(place, [client.compliance(run, chosen)])
    told = Text(f"✓ {place} says who decided what in run {run}", style="green")
    session.show({"run": run, "file": str(place)}, told)


def _deciding_with(package: str) -> Callable[[str], bool]:
    """Return which packages a decision's digest is of: what decides on catalogs and rows is one bundle."""
    return admission_only if package != AUTHORISATION else lambda name: name == AUTHORISATION


def _known(folder: Path, package: str) -> str:
    policies: PolicyFolder = read_policies(folder)
    known = sorted({path.parts[0] for path in policies.modules})
    if package not in known:
        raise click.UsageError(f"there is no policy {package!r}; there are {', '.join(known) or 'none'}")
    return package


def _document(file: TextIO) -> dict[str, Any]:
    try:
        read = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"{file.name} is no JSON: {error}") from None
    if not isinstance(read, dict):
        raise click.UsageError(f"{file.name} holds no JSON object; an admission is asked with {{'row': {{…}}}}")
    return read


def _tested(report: RegoReport) -> list[RenderableType]:
    head = Text.assemble(("✓ ", "bold green"), f"{report.passed} tests passed")
    if report.failed:
        ended = f"{len(report.failed)} of {report.passed + len(report.failed)} tests failed"
        names = "".join(f"\n  {name}" for name in report.failed)
        head = Text.assemble(("✗ ", "bold red"), ended, names)
    covered = [(path, f"{share:g} % covered") for path, share in report.coverage.items()]
    return [head, tables.facts([*covered, ("policy", report.policy)])]


def _explained(found: Explanation) -> list[RenderableType]:
    made = tables.table("rule", "why it is there", "where")
    for rule in found.rules:
        made.add_row(rule.name, Text(_told(rule)), f"{rule.file}:{rule.line}")
    return [_facts(found.decision, found.policy), made]


def _told(rule: HeldRule) -> str:
    return f"{rule.title}\n{rule.description}" if rule.description else rule.title


def _facts(decision: object, digest: str) -> RenderableType:
    values = decision if isinstance(decision, dict) else {"decision": decision}
    return tables.facts(
        [*((str(name), text.safe(_plain(value))) for name, value in values.items()), ("policy", digest)]
    )


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)
