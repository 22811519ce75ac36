"""Preference pairs for training: the same prompt, a text that people wanted and one that they did not."""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection, Engine, select, tuple_

from activities.artifacts.contracts import ArtifactNotFound, ArtifactStore
from activities.feedback.contracts import Origin, Rating, Vote
from activities.feedback.tables import FeedbackRow
from activities.records.tables import StepRow
from activities.records.transactions import Transactions

_VOTES = FeedbackRow.__table__  # type: ignore[attr-defined]
_STEPS = StepRow.__table__  # type: ignore[attr-defined]
_BATCH: Final = 200


class PreferencePair(BaseModel):
    """A line of the export.

    Args:
        prompt: What the model was asked when it wrote the rejected text.
        system: Who it was asked to be.
        chosen: The text that a person made of it, or that the model wrote after a person had asked for changes.
        source: ``edit``, ``reader`` (a reader's proposal) or ``changes``.
        by: Who wanted another text.
        why: Their words.
    """

    prompt: str
    system: str
    chosen: str
    rejected: str
    source: str
    run: str
    row: str
    by: str
    why: str
    board: str
    agent: str
    model: str
    prompt_version: str
    at: str


class PreferencePairs:
    """Reads pairs out of votes, steps and artifacts.

    Args:
        engine: The records database.
        artifacts: Where prompts and outputs are.
    """

    def __init__(self, engine: Engine, artifacts: ArtifactStore) -> None:
        self._transactions = Transactions(engine)
        self._artifacts = artifacts

    async def pairs(self) -> AsyncIterator[PreferencePair]:
        """Yield every pair, row by row; one whose texts are no longer kept is left out."""
        async for votes, prompts in self._rows():
            for vote, chosen, source in paired(votes):
                asked = prompts.get((vote.attempt, vote.output))
                pair = await self._pair(vote, chosen, source, asked) if asked else None
                if pair is not None:
                    yield pair

    async def lines(self) -> list[str]:
        """Return every pair as a JSON line."""
        return [pair.model_dump_json() + "\n" async for pair in self.pairs()]

    async def count(self) -> int:
        """Return how many pairs there are, without reading their texts."""
        found = 0
        async for votes, prompts in self._rows():
            found += sum((vote.attempt, vote.output) in prompts for vote, _, _ in paired(votes))
        return found

    async def _rows(self) -> AsyncIterator[tuple[list[Vote], dict[tuple[int, str], dict[str, Any]]]]:
        """Yield the votes of each row that somebody found wanting, and what its outputs were answers to."""
        after = ("", "")
        while batch := await self._transactions.read(functools.partial(_batch, after)):
            for votes, steps in batch:
                yield votes, asked_for(steps)
            last = batch[-1][0][-1]
            after = (last.run, last.row)

    async def _pair(self, vote: Vote, chosen: str, source: str, asked: dict[str, Any]) -> PreferencePair | None:
        try:
            prompt, wanted, rejected = [
                (await self._artifacts.get(digest)).decode()
                for digest in (asked["prompt"]["digest"], chosen, vote.output)
            ]
        except ArtifactNotFound:
            return None
        told = vote.model_dump(include={"run", "row", "by", "board", "agent", "model", "prompt_version", "at"})
        return PreferencePair(
            prompt=prompt,
            system=asked.get("system", ""),
            chosen=wanted,
            rejected=rejected,
            source=source,
            why=vote.reason,
            **told,
        )


def paired(votes: list[Vote]) -> Iterator[tuple[Vote, str, str]]:
    """Yield each vote against an output with the text to prefer, and where that comes from; pure.

    Args:
        votes: All votes on one row, the oldest first.
    """
    for vote in votes:
        if vote.rating is not Rating.BAD:
            continue
        if vote.better is not None:
            if vote.better != vote.output:
                yield vote, vote.better, "edit" if vote.origin is Origin.REVIEW else "reader"
            continue
        later = [one for one in votes if one.at > vote.at and one.attempt == vote.attempt]
        approved = [one.output for one in later if one.rating is Rating.GOOD and one.origin is Origin.REVIEW]
        if vote.origin is Origin.REVIEW and approved and approved[-1] != vote.output:
            yield vote, approved[-1], "changes"


def asked_for(steps: list[dict[str, Any]]) -> dict[tuple[int, str], dict[str, Any]]:
    """Return the details of the prompt step behind each output, by execution and digest of the output; pure.

    Args:
        steps: Prompt and model steps of one row, in the order in which they ended.
    """
    found: dict[tuple[int, str], dict[str, Any]] = {}
    prompt: dict[str, Any] = {}
    for step in steps:
        if step["step"] == "prompt":
            prompt = step["detail"]
        elif prompt and isinstance(output := step["detail"].get("output"), dict):
            found.setdefault((step["attempt"], output.get("digest", "")), prompt)
    return found


def _batch(after: tuple[str, str], connection: Connection) -> list[tuple[list[Vote], list[dict[str, Any]]]]:
    place = tuple_(_VOTES.c.run, _VOTES.c.row)
    wanting = (_VOTES.c.rating == Rating.BAD.value) & (place > after)
    rows = select(_VOTES.c.run, _VOTES.c.row).where(wanting).distinct().order_by(_VOTES.c.run, _VOTES.c.row)
    found: dict[tuple[str, str], tuple[list[Vote], list[dict[str, Any]]]] = {
        (run, row): ([], []) for run, row in connection.execute(rows.limit(_BATCH))
    }
    if not found:
        return []
    votes = select(_VOTES).where(place.in_(found)).order_by(_VOTES.c.at)
    for one in connection.execute(votes).mappings():
        found[one["run"], one["row"]][0].append(Vote.model_validate(dict(one)))
    here = tuple_(_STEPS.c.run, _STEPS.c.row).in_(found) & _STEPS.c.step.in_(("prompt", "model"))
    steps = select(_STEPS).where(here).order_by(_STEPS.c.attempt, _STEPS.c.finished_at, _STEPS.c.started_at)
    for one in connection.execute(steps).mappings():
        found[one["run"], one["row"]][1].append(dict(one))
    return list(found.values())
