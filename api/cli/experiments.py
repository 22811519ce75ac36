"""The command ``prism experiments``."""

import math
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from activities.experiments.contracts import Comparison, Experiment, Metric, Report, Status, Unit, VariantScore
from activities.yaml_document import load_document
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.steer import BY
from api.cli.tables import table
from api.experiment_models import ExperimentBody
from temporal.errors import InvalidFile

_COLOURS = {Status.RUNNING: "green", Status.PAUSED: "yellow", Status.ENDED: "dim"}
_FIELDS = ("share", "model", "agent", "prompt")
NAME = click.argument("name")


class InvalidExperiment(InvalidFile):
    """A file of an experiment cannot be used; ``details["faults"]`` lists why."""

    what = "experiment"


class VariantOption(click.ParamType[dict[str, Any]]):
    """``terse,share=1,model=fast,agent=critic,prompt=@terse.txt``."""

    name = "VARIANT"

    def convert(
        self, value: str | dict[str, Any], param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """Return it as the API takes it."""
        if isinstance(value, dict):
            return value
        name, *parts = value.split(",")
        made: dict[str, Any] = {"name": name.strip()}
        for part in parts:
            field, sign, told = (one.strip() for one in part.partition("="))
            if field not in _FIELDS or not (sign and told):
                self.fail(f"{part!r} is none of {', '.join(f'{one}=…' for one in _FIELDS)}", param, ctx)
            made[field] = self._file(told, param, ctx) if field == "prompt" else told
        return made

    def _file(self, told: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not told.startswith("@"):
            self.fail("prompt=@FILE names a file that holds the prompt", param, ctx)
        try:
            return Path(told[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{told[1:]} cannot be read: {error}", param, ctx)


@click.group()
def experiments() -> None:
    """Compare variants of prompts, models or agents.

    People vote on the outputs, and a test says when a winner is known.
    """


@experiments.command()
@click.argument("name", default="")
@click.option(
    "--variant",
    "variants",
    type=VariantOption(),
    multiple=True,
    help="Its name, then what differs: share=2, model=GROUP, agent=NAME, prompt=@FILE; two to five of them.",
)
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="All of it as YAML.")
@click.option("--about", help="What is to be found out.")
@click.option("--metric", type=click.Choice([one.value for one in Metric]), help="Whose votes count.  [default: votes]")
@click.option("--unit", type=click.Choice([one.value for one in Unit]), help="What keeps a variant.  [default: row]")
@click.option(
    "--alpha", type=click.FloatRange(0.0001, 0.5), help="How often it may name a false winner.  [default: 0.05]"
)
@BY
@with_session
def create(
    session: Session,
    name: str,
    variants: tuple[dict[str, Any], ...],
    file: Path | None,
    by: str | None,
    **given: Any,  # noqa: ANN401 -- texts and a number
) -> None:
    """Begin an experiment; rows take part by naming it in column 'experiment'.

    A variant without anything that differs is the row as it is written.
    """
    told: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if file is not None:
        written = load_document(file, ExperimentBody, InvalidExperiment)
        told = written.model_dump(mode="json", exclude_unset=True) | told
    told |= {"name": name} if name else {}
    told |= {"variants": list(variants)} if variants else {}
    if not told.get("name"):
        raise click.UsageError("say how the experiment is called")
    told["by"] = session.who(by) or told.get("by", "")
    with session.client() as client:
        made = client.experiments.create(told.pop("name"), told.pop("variants", []), **told)
    shares = ", ".join(f"{one.name} {one.share}" for one in made.spec.variants)
    line = f"✓ {text.safe(made.spec.name)} is {made.status.value}: {text.safe(shares)}"
    session.show(made, Text(line, style="green"))


@experiments.command("list")
@with_session
def list_experiments(session: Session) -> None:
    """List experiments, the newest first."""
    with session.client() as client:
        found = client.experiments.all()
    made = table("experiment", "status", "variants", "units", "judged", "winner", "adopted", "since")
    for one in found.experiments:
        names = ", ".join(variant.name for variant in one.spec.variants)
        cells = (names, f"{one.units:,}", f"{one.judged:,}", one.winner, one.adopted, one.created_at[:19])
        made.add_row(Text(one.spec.name, style="bold"), _status(one), *cells)
    session.show(found, made if found.experiments else Text("there is none yet", style="dim"))


@experiments.command()
@NAME
@with_session
def show(session: Session, name: str) -> None:
    """Show how good the variants are and what the test says.

    It holds however often you look: end the experiment when you have seen enough.
    """
    with session.client() as client:
        found = client.experiments.get(name)
    session.show(found, *_report(found))


@experiments.command()
@NAME
@BY
@with_session
def pause(session: Session, name: str, by: str | None) -> None:
    """Give no further row a variant; those that have one keep it."""
    with session.client() as client:
        _said(session, client.experiments.pause(name, session.who(by)))


@experiments.command()
@NAME
@BY
@with_session
def resume(session: Session, name: str, by: str | None) -> None:
    """Give rows variants again."""
    with session.client() as client:
        _said(session, client.experiments.resume(name, session.who(by)))


@experiments.command()
@NAME
@click.option("--adopt", metavar="VARIANT", help="Every row gets this one from now on.  [default: as written]")
@BY
@with_session
def end(session: Session, name: str, adopt: str | None, by: str | None) -> None:
    """End an experiment: no further vote counts."""
    with session.client() as client:
        _said(session, client.experiments.end(name, adopt, session.who(by)))


def _said(session: Session, found: Experiment) -> None:
    then = ""
    if found.status is Status.ENDED:
        then = f": rows get {found.adopted}" if found.adopted else ": rows run as they are written"
    session.show(found, Text(f"✓ {text.safe(found.spec.name)} is {found.status.value}{then}", style="green"))


def _report(found: Report) -> list[RenderableType]:
    made = table("variant", "share of good", "95 % between", "judged", "units")
    for score in found.scores:
        made.add_row(Text(score.variant, style="bold"), *_cells(score))
    one = found.experiment
    head = Text.assemble((one.spec.name, "bold"), " is ", _status(one))
    verdict = Text(found.verdict, style="bold green" if found.winner else "yellow")
    return [head, made, *(_compared(pair, found.threshold) for pair in found.comparisons), verdict]


def _cells(score: VariantScore) -> tuple[str, ...]:
    share = "-" if score.share is None else f"{score.share:.0%}"
    return share, f"{score.low:.0%} and {score.high:.0%}", f"{score.good} of {score.judged}", f"{score.units:,}"


def _compared(pair: Comparison, threshold: float) -> Text:
    known = f"{pair.better} is better" if pair.better else f"known at p ≤ {threshold:.3g}"
    return Text(f"{pair.first} against {pair.second}: e = {_e(pair.log_e)}, p = {pair.p:.3g}; {known}", style="dim")


def _e(log_e: float) -> str:
    return f"{math.exp(log_e):,.2f}" if log_e < math.log(1e6) else f"10^{log_e / math.log(10):.1f}"


def _status(one: Experiment) -> Text:
    return Text(one.status.value, style=_COLOURS[one.status])
