"""The command ``prism usage``."""

import click
from rich.console import Group
from rich.text import Text

from activities.analytics.contracts import Usage
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.tables import table


@click.command()
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How many, today included.")
@with_session
def usage(session: Session, days: int) -> None:
    """Show calls, spend, latency, cache and local share, and what failed."""
    with session.client() as client:
        found = client.usage(days)
    session.show(found, _shown(found))


def _shown(found: Usage) -> Group:
    total = found.total
    if not total.calls and not found.failures:
        return Group(Text("no model was asked in this time", style="dim"))
    local = f"{total.local / total.calls:.0%} local, {total.cached / total.calls:.0%} cached" if total.calls else ""
    saved = f" (${total.saved_usd:,.4f} saved)" if total.saved_usd else ""
    head = Text(f"{text.plural(total.calls, 'call')} since {found.since[:10]}, ${total.cost_usd:,.4f}; {local}{saved}")
    made = table("model", "calls", "tokens in", "out", "cost", "half within", "19 of 20", "asked again")
    for one in found.models:
        within = ["" if took is None else f"{took:,} ms" for took in (one.median_ms, one.slow_ms)]
        counts = (f"{one.calls:,}", f"{one.prompt_tokens:,}", f"{one.completion_tokens:,}")
        made.add_row(Text(text.safe(one.model)), *counts, f"${one.cost_usd:,.4f}", *within, f"{one.again:,}")
    failed = table("failed", "deployment", "fault", "last")
    for fault in found.failures:
        words = Text(text.safe(f"{fault.code}: {fault.message}"))
        failed.add_row(
            f"{fault.failed:,}", Text(text.safe(fault.deployment or "the gateway")), words, fault.last_at[:19]
        )
    return Group(head, made, *([failed] if found.failures else []))
