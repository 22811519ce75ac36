"""The command ``prism estimate``, and how an estimate reads."""

from pathlib import Path

import click
from rich.console import RenderableType
from rich.text import Text

from api.cli import reading, tables, text
from api.cli.reading import FILE, contents, file_name, reading_options
from api.cli.session import Session, with_session
from api.estimate_models import Estimate, GroupEstimate, Shortage
from catalogs.options import ReadOptions


@click.command()
@FILE
@reading_options
@click.option("--budget-usd", type=click.FloatRange(0, min_open=True), help="Most that its model calls may cost.")
@with_session
def estimate(session: Session, file: Path, options: ReadOptions, budget_usd: float | None) -> None:
    """Show what a catalog would cost before it runs.

    Nothing is started. Exit code 1 when it cannot run. FILE may be - for standard input. The system must be up:
    prism up.
    """
    with session.client() as client:
        found = client.validate(
            contents(file),
            map=options.columns,
            literal=options.literal,
            skip_invalid=options.skip_invalid,
            budget_usd=budget_usd,
        )
    parts = [] if found.valid and not found.warnings else reading.told(file_name(file), found)
    if found.estimate:
        parts += [_groups(found.estimate), *told(found.estimate)]
    elif found.valid:
        parts.append(Text("the model gateway does not tell its prices now", style="yellow"))
    session.show(found, *parts)
    if not found.valid:
        raise SystemExit(1)


def told(found: Estimate) -> list[RenderableType]:
    """Return an estimate in one line, and what somebody should know before the catalog runs."""
    return [_line(found), *_assumed(found), *_remarks(found)]


def _groups(found: Estimate) -> RenderableType:
    made = tables.table("model", "answered by", "rows", "calls", "tokens in", "tokens out", "expected", "at most")
    for number in range(2, 8):
        made.columns[number].justify = "right"
    for one in found.groups:
        made.add_row(
            Text(text.safe(one.group or "(default)")),
            Text(text.safe(one.model or "nobody")),
            f"{one.rows:,}",
            f"{one.calls:,}",
            f"{one.prompt_tokens:,}",
            f"{one.completion_tokens:,}",
            _cost(one, one.usd),
            _cost(one, one.most_usd),
        )
    return made


def _line(found: Estimate) -> Text:
    if not found.most_usd:
        return Text.assemble(("• ", "cyan"), f"estimate: {text.plural(found.calls, 'call')}, free of charge")
    usual, most = text.money(found.usd), text.money(found.most_usd)
    return Text.assemble(
        ("• ", "cyan"), "estimate: ", (usual, "bold"), f", at most {most} for {text.plural(found.calls, 'call')}"
    )


def _assumed(found: Estimate) -> list[RenderableType]:
    said = []
    if found.tool_calls:
        most = text.money(found.tools_usd)
        calls = text.plural(found.tool_calls, "call")
        said.append(f"of the most, {most} is for {calls} after calls of tools, as many and as long as they may be")
    if found.cacheable:
        rows = text.plural(found.cacheable, "row")
        said.append(f"{rows} may be answered by the cache and count as asked anew: it is looked up when they run")
    return [Text.assemble(("• ", "cyan"), one) for one in said]


def _remarks(found: Estimate) -> list[RenderableType]:
    said = [_short(one) for one in found.shortages]
    said += [f"{text.safe(why)}; its rows would fail" for why in found.unknown.values()]
    unpriced = dict.fromkeys(name for one in found.groups for name in one.unpriced)
    said += [f"{text.safe(name)} has no price and counts as free: see PRISM_PRICES" for name in unpriced]
    return [Text.assemble(("! ", "bold yellow"), one) for one in said]


def _short(one: Shortage) -> str:
    of = f"{text.safe(one.budget)} ({text.safe(one.period)})"
    if one.certain:
        return f"budget {of} has {text.money(one.left_usd)} left: rows will wait until somebody allows more"
    return f"budget {of} has {text.money(one.left_usd)} left, which may not be enough"


def _cost(one: GroupEstimate, usd: float) -> str:
    if one.local:
        return "free" if not usd else text.money(usd)
    return text.money(usd) if usd or not one.unpriced else "no price"
