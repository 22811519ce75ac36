"""The command ``prism system``."""

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from activities.llm.described import GatewayModels
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.tables import table
from api.system_models import DayShare, Spend, System
from temporal.queue_state import QueueState


@click.command()
@with_session
def system(session: Session) -> None:
    """Show queues, policies, models, the local share, spending.

    Administrators are told settings too; secrets are not among them. Policies' sources are in the JSON.
    """
    with session.client() as client:
        found = client.system()
    session.show(found, _shown(found))


def _shown(found: System) -> Group:
    parts: list[Text | Table] = [
        Text(f"Prism {found.version}, Temporal {found.temporal}, namespace {found.namespace}", style="bold"),
        _queues(found.queues),
        _policies(found),
        _models(found.models) if found.models else Text("no model gateway answers on that machine", style="dim"),
        *([_shares(found.local_shares)] if found.local_shares else []),
        _spend(found.spend) if found.spend else Text("no row has ended within 30 days", style="dim"),
    ]
    chosen = [one for one in found.settings if one.chosen]
    if chosen:
        settings = table("setting", "value")
        for one in chosen:
            settings.add_row(one.name, Text(text.safe(one.value)))
        parts.append(settings)
    return Group(*parts)


def _queues(queues: list[QueueState]) -> Table:
    made = table("queue", "served by", "waiting", "oldest", "in", "taken")
    for queue in queues:
        if queue.problem:
            made.add_row(queue.queue, Text(queue.problem, style="red"))
            continue
        who = "\n".join(poller.identity for poller in queue.pollers)
        made.add_row(
            queue.queue,
            Text(text.safe(who)) if who else Text("nobody: work waits here", style="yellow"),
            str(queue.backlog),
            f"{queue.oldest_seconds:.0f} s" if queue.backlog else "",
            f"{queue.added_per_second:.1f}/s",
            f"{queue.taken_per_second:.1f}/s",
        )
    return made


def _policies(found: System) -> Table:
    made = table("policy", "what", "digest")
    for policy in found.policies:
        made.add_row(policy.name, policy.title, Text(policy.digest, style="dim"))
        if policy.fault:
            made.add_row("", Text(f"changed files are not in force: {text.safe(policy.fault)}", style="red"), "")
    return made


def _models(models: GatewayModels) -> Table:
    made = table("group", "deployment", "model", "where", "circuit", "spent today")
    for group in models.groups:
        for one in group.deployments:
            budget = one.budget_usd_per_day
            made.add_row(
                group.group,
                one.name,
                Text(text.safe(one.model)),
                "local" if one.local else "outside",
                Text(one.circuit, style="green" if one.circuit == "closed" else "yellow"),
                "" if budget is None else f"${one.spent_usd:,.2f} of ${budget:,.2f}",
            )
    return made


def _shares(days: list[DayShare]) -> Table:
    made = table("day", "local share", "target", "calls", "local")
    for one in days:
        share = "-" if one.share is None else f"{one.share:.1%} of {one.of}"
        target = "" if one.target is None else f"{one.target:.0%}"
        made.add_row(one.day, share, target, f"{one.calls:,}", f"{one.local_calls:,}")
    return made


def _spend(spend: list[Spend]) -> Table:
    made = table("model", "rows", "24 hours", "7 days", "30 days")
    for one in spend:
        made.add_row(
            Text(text.safe(one.model)), str(one.rows), *(f"${cost:,.2f}" for cost in (one.day, one.week, one.month))
        )
    return made
