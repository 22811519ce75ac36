"""The commands ``prism usage`` and ``failovers``."""

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from activities.analytics.contracts import FailoverEvent, Failovers, Next, Usage
from activities.routing.contracts import LocalShare
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.tables import table

DAYS = click.option(
    "--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How many, today included."
)


@click.command()
@DAYS
@with_session
def usage(session: Session, days: int) -> None:
    """Show calls, spend, latency, cache and local share, and what failed."""
    with session.client() as client:
        found = client.usage(days)
    session.show(found, _shown(found))


@click.command()
@DAYS
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, newest first.")
@with_session
def failovers(session: Session, days: int, limit: int) -> None:
    """Show requests that deployments failed, where their calls went next, and circuits."""
    with session.client() as client:
        found = client.failovers(days, limit)
    none = Text("no request failed in this time", style="dim")
    more = [Text(f"the newest {limit} are shown; --limit shows more", style="dim")] if found.more else []
    session.show(found, *([_events(found), *more] if found.events else [none]))


def _shown(found: Usage) -> Group:
    total = found.total
    if not total.calls and not found.failures:
        return Group(Text("no model was asked in this time", style="dim"))
    local = f"{total.local / total.calls:.0%} local, {total.cached / total.calls:.0%} cached" if total.calls else ""
    joined = f" ({total.joined:,} joined a call under way)" if total.joined else ""
    similar = f" ({total.semantic:,} by a similar request's answer)" if total.semantic else ""
    saved = f" (${total.saved_usd:,.4f} saved)" if total.saved_usd else ""
    cost = f"${total.cost_usd:,.4f}"
    head = Text(f"{text.plural(total.calls, 'call')} since {found.since[:10]}, {cost}; {local}{joined}{similar}{saved}")
    made = table("model", "calls", "tokens in", "out", "cost", "half within", "19 of 20", "asked again")
    for one in found.models:
        within = ["" if took is None else f"{took:,} ms" for took in (one.median_ms, one.slow_ms)]
        counts = (f"{one.calls:,}", f"{one.prompt_tokens:,}", f"{one.completion_tokens:,}")
        made.add_row(Text(text.safe(one.model)), *counts, f"${one.cost_usd:,.4f}", *within, f"{one.again:,}")
    parts: list[RenderableType] = [head, made]
    if found.local.calls:
        parts.append(_shares(found))
    failed = table("failed", "deployment", "fault", "last")
    for fault in found.failures:
        words = Text(text.safe(f"{fault.code}: {fault.message}"))
        failed.add_row(
            f"{fault.failed:,}", Text(text.safe(fault.deployment or "the gateway")), words, fault.last_at[:19]
        )
    return Group(*parts, *([failed] if found.failures else []))


def _shares(found: Usage) -> Table:
    made = table("board", "local share of calls", "of tokens", "target", "calls", "local")
    for number in range(1, 6):
        made.columns[number].justify = "right"
    named: list[tuple[str, LocalShare]] = [(one.board or "(none)", one) for one in found.boards]
    for name, one in [("all", found.local), *named]:
        target = "-" if one.target is None else f"{one.target:.0%} of {one.of}"
        shares = [_share(one.of_calls), _share(one.of_tokens)]
        made.add_row(Text(text.safe(name)), *shares, target, f"{one.calls:,}", f"{one.local_calls:,}")
    return made


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _events(found: Failovers) -> Table:
    made = table("at", "deployment", "what", "then")
    made.columns[0].no_wrap = True
    for one in found.events:
        who = " ".join(filter(None, [one.deployment, f"({one.model})" if one.model else ""])) or "the gateway"
        made.add_row(one.at[:19], Text(text.safe(who)), Text(text.snippet(_what(one), 300)), Text(_then(one)))
    return made


def _what(one: FailoverEvent) -> str:
    if one.change is None:
        return f"{one.status or one.fault} after {one.milliseconds:,} ms: {one.message}"
    pause = "" if one.seconds is None else f" for {one.seconds:,.0f} s"
    return f"circuit {one.change.value}{pause}" + (f": {one.message}" if one.message else "")


def _then(one: FailoverEvent) -> str:
    whose = f"{text.safe(one.run)} {text.safe(one.row)}: " if one.row else ""
    model = text.safe(one.next_model)
    match one.next:
        case None:
            return ""
        case Next.ANSWERED:
            return f"{whose}answered by {model}"
        case Next.FAILED:
            return whose + (f"went to {model}, which failed too" if model else "was cut off with the gateway")
        case Next.UNDER_WAY:
            return f"{whose}its call is under way"
        case Next.NOBODY:
            return f"{whose}nobody has answered"
