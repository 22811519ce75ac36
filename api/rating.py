"""Feedback on outputs: what every front door calls."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from activities.audit.contracts import AuditEvent, AuditKind
from activities.feedback.contracts import Dimension, Given, Rating, Vote
from activities.feedback.datasets import SqlDatasetRegister
from activities.feedback.pairs import PreferencePairs
from activities.feedback.register import SqlFeedbackRegister
from activities.identity.contracts import Principal
from activities.records.database import timestamp
from api.control import known_row
from api.errors import BadRequest
from api.feedback_models import Datasets, RateBody, RowFeedback, Scores
from api.services import Services


async def rate(services: Services, principal: Principal, run: str, row: str, body: RateBody) -> Vote:
    """Take a person's vote on a row's output; an earlier one of theirs on the same output is replaced.

    Raises:
        NotFound: There is no such row.
        NothingToRate: It has no output, or another one than they looked at.
        Forbidden: They claim to be somebody else.
        BadRequest: What they wrote seems to hold a secret.
    """
    by = principal.acting_as(body.by)
    await known_row(services, run, row)
    await _refuse_secrets(services, body)
    better = (await services.stores.texts.keep(body.better)).digest if body.better is not None else None
    return await SqlFeedbackRegister(services.stores.engine).rate(
        Given(run=run, row=row, by=by, rating=body.rating, reason=body.reason, output=body.output, better=better)
    )


async def of_row(services: Services, run: str, row: str) -> RowFeedback:
    """Return all votes on a row's outputs.

    Raises:
        NotFound: There is no such row.
    """
    view = await known_row(services, run, row)
    votes = await SqlFeedbackRegister(services.stores.engine).votes(run, row)
    present = [vote.rating for vote in votes if vote.output == view.output_digest]
    return RowFeedback(
        output=view.output_digest, good=present.count(Rating.GOOD), bad=present.count(Rating.BAD), votes=votes
    )


async def scores(services: Services, by: Dimension, days: int | None = None) -> Scores:
    """Return how good agents, models, prompt versions or boards are.

    Args:
        services: What the routes work with.
        by: What is told apart.
        days: Only votes of so many days; ``None`` for all.
    """
    since = timestamp(datetime.now(UTC) - timedelta(days=days)) if days else ""
    return Scores(by=by, scores=await SqlFeedbackRegister(services.stores.engine).scores(by, since))


async def datasets(services: Services) -> Datasets:
    """Return which data sets of preference pairs were made."""
    found = await SqlDatasetRegister(services.stores.engine).datasets()
    return Datasets(datasets=found, wanted=services.settings.pairs_wanted)


async def pairs(services: Services) -> AsyncIterator[str]:
    """Return preference pairs as JSON lines; that they were exported is in the audit log."""
    await services.audit.write(AuditEvent(kind=AuditKind.PAIRS_EXPORTED))
    found = PreferencePairs(services.stores.engine, services.stores.artifacts)

    async def lines() -> AsyncIterator[str]:
        async for pair in found.pairs():
            yield pair.model_dump_json() + "\n"

    return lines()


async def _refuse_secrets(services: Services, body: RateBody) -> None:
    """Take in no secret: what people write of outputs goes into exports, and before models that reflect on agents."""
    for name, text in (("reason", body.reason), ("better", body.better or "")):
        findings = (await services.scanner.scan(text)).findings if text else ()
        if findings:
            found = findings[0]
            told = f"{name} seems to hold a secret ({found.rule}, line {found.line}): nothing was kept; take it out"
            raise BadRequest(told, field=name, rule=found.rule, line=found.line)
