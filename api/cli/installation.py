"""The command ``prism system``."""

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from api.cli import text
from api.cli.session import Session, with_session
from api.cli.tables import table
from api.system_models import Spend, System
from temporal.task_queues import QueueState


@click.command()
@with_session
def system(session: Session) -> None:
    """Show queues and who serves them, policies, spending.

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


def _spend(spend: list[Spend]) -> Table:
    made = table("model", "rows", "24 hours", "7 days", "30 days")
    for one in spend:
        made.add_row(
            Text(text.safe(one.model)), str(one.rows), *(f"${cost:,.2f}" for cost in (one.day, one.week, one.month))
        )
    return made
