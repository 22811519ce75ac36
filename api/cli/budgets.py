"""The commands ``prism budgets`` and ``prism allow``."""

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from activities.budgets.contracts import BudgetState, BudgetView
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.steer import BY
from api.cli.tables import table

_COLOURS = {BudgetState.OPEN: "green", BudgetState.NEARLY_SPENT: "yellow", BudgetState.SPENT: "red"}
_MOST_NAMED = 20


@click.command()
@click.argument("run", default="")
@with_session
def budgets(session: Session, run: str) -> None:
    """Show what was spent of each budget and what waits for more.

    With RUN only the budgets that it counts against.
    """
    with session.client() as client:
        found = client.budgets(run)
    session.show(found, _shown(found.budgets))


@click.command()
@click.argument("budget")
@click.argument("usd", type=click.FloatRange(0, min_open=True))
@click.option("--period", default="", help="Of which day, month or run, where rows of several wait.")
@click.option("--comment", default="", help="Why.")
@BY
@with_session
def allow(session: Session, budget: str, usd: float, period: str, comment: str, by: str | None) -> None:
    """Allow more of a budget; rows that wait for it go on.

    USD is how much more, within the present period only.
    """
    with session.client() as client:
        view = client.allow(budget, usd, period=period, comment=comment, by=session.who(by))
    left = f"{_money(view.left_usd)} of {text.safe(view.budget)} ({text.safe(view.period)}) is left"
    waiting = f"; {text.plural(len(view.waiting), 'row')} waited for it" if view.waiting else ""
    session.show(view, Text(left + waiting, style="green"))


def _shown(budgets: list[BudgetView]) -> Group:
    if not budgets:
        return Group(
            Text("no budget limits what model calls may cost; PRISM_BUDGETS names a file of them", style="dim")
        )
    made = table("budget", "period", "state", "spent", "under way", "limit", "left", "forecast")
    for one in budgets:
        allowed = f" + {_money(one.allowed_usd)}" if one.allowed_usd else ""
        made.add_row(
            Text(text.safe(one.budget)),
            Text(text.safe(one.period)),
            Text(one.state.value.replace("_", " "), style=_COLOURS[one.state]),
            _money(one.spent_usd),
            _money(one.reserved_usd),
            f"{_money(one.limit_usd)}{allowed}",
            _money(one.left_usd),
            "" if one.forecast_usd is None else _money(one.forecast_usd),
        )
    return Group(made, *(_waiting(one) for one in budgets if one.waiting))


def _waiting(view: BudgetView) -> Table:
    made = table(f"waits for {text.safe(view.budget)}", "run", "next call up to", "since")
    for row in view.waiting[:_MOST_NAMED]:
        made.add_row(Text(text.safe(row.row)), Text(text.safe(row.run)), _money(row.needed_usd), row.since)
    if len(view.waiting) > _MOST_NAMED:
        made.add_row(f"and {len(view.waiting) - _MOST_NAMED} more", "", "", "")
    return made


def _money(usd: float) -> str:
    return f"${usd:,.4f}" if 0 < usd < 1 else f"${usd:,.2f}"
