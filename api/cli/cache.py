"""The commands ``prism cache stats`` and ``clear``."""

import click
from rich.table import Table

from activities.llm.cache_contracts import CacheCounts
from api.cache_models import CacheView
from api.cli import text
from api.cli.session import Session, with_session
from api.cli.tables import facts


@click.group()
def cache() -> None:
    """Show and clear the cache of model answers."""


@cache.command()
@with_session
def stats(session: Session) -> None:
    """Show how the cache is set up, and what it did since the gateway started."""
    with session.client() as client:
        found = client.cache.get()
    session.show(found, _facts(found))


@cache.command()
@with_session
def clear(session: Session) -> None:
    """Have all answers forgotten; other gateways forget their own copies within five minutes."""
    with session.client() as client:
        found = client.cache.clear()
    session.show(found, _facts(found))


def _facts(found: CacheView) -> Table:
    rows = "serves rows that do not say" if found.on else "serves rows that ask for it (column cache)"
    pairs = [("cache", rows), ("answers serve", f"{found.hours:g} hours"), ("shared by", text.safe(found.shared))]
    counts = found.counts
    if counts is None:
        return facts([*pairs, ("", "the model gateway does not answer now")])
    answered = counts.near + counts.shared + counts.joined + counts.semantic
    calls = f"{answered:,} of {text.plural(answered + counts.missed, 'call')}"
    where = f"{counts.near:,} from the gateway, {counts.shared:,} shared, {counts.joined:,} joined one under way"
    similar = f", {counts.semantic:,} by a similar request's answer" if found.embeddings else ""
    return facts(
        [
            *pairs,
            ("answered", f"{calls}: {where}{similar}"),
            ("saved", text.money(counts.saved_usd)),
            ("faults", f"{counts.faults:,}"),
            *_embeddings(found, counts),
        ]
    )


def _embeddings(found: CacheView, counts: CacheCounts) -> list[tuple[str, str]]:
    if not found.embeddings:
        return []
    cost = f"{text.money(counts.embeddings_usd)} charged to no row, {text.plural(counts.embedding_faults, 'fault')}"
    return [("embeddings", f"{text.safe(found.embeddings)}, similarity {found.similarity:g} and more; {cost}")]
