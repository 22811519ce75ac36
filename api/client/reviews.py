"""What both clients do with reviews."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from activities.reviews.contracts import DecisionKind
from api.client import calls
from api.client.calls import Call
from api.review_models import BulkDecided, Decided, ReviewDetail, Reviews

Answer = TypeVar("Answer")


class ReviewMethods:
    """Reviews, for the blocking client."""

    @abstractmethod
    def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    def reviews(self, *, mine: bool = False, **asked: Any) -> Reviews:  # noqa: ANN401 -- values of a query
        """Return what waits for a decision, the most urgent first.

        Args:
            mine: Only what you may decide on.
            asked: ``reviewer``, ``run``, ``board``, ``risk``, ``due_before``, ``q``, ``state``, ``limit``, ``offset``.
        """
        return self.send(calls.reviews(mine="true" if mine else None, **asked))

    def review(self, run: str, row: str) -> ReviewDetail:
        """Return every round of a row's review."""
        return self.send(calls.review(run, row))

    def decide(
        self,
        run: str,
        row: str,
        kind: DecisionKind | str,
        *,
        by: str = "",
        comment: str = "",
        idempotency_key: str | None = None,
        **given: Any,  # noqa: ANN401 -- JSON values
    ) -> Decided:
        """Decide on a row that waits for a review.

        Args:
            run: The run.
            row: The row.
            kind: ``approve``, ``edit``, ``answer``, ``reject``, ``request_changes``, ``reassign``, ``claim``,
                ``release`` or ``comment``.
            by: Who decides; leave it out where you are logged in.
            comment: A reason, feedback or remark.
            idempotency_key: Repetitions under one key are one decision; a fresh key for each call by default.
            given: ``round``, ``output`` (the edited text), ``answers``, ``reviewers``.
        """
        call = calls.decide(run, row, idempotency_key, kind=kind, by=by, comment=comment, **given)
        return self.send(call)

    def decide_many(
        self,
        kind: DecisionKind | str,
        reviews: Sequence[tuple[str, str]] = (),
        *,
        every: bool = False,
        **given: Any,  # noqa: ANN401 -- JSON values
    ) -> BulkDecided:
        """Decide on several reviews, each by itself.

        Args:
            kind: What is decided.
            reviews: Run and row of each.
            every: Take all that fit the filter instead.
            given: ``by``, ``comment``, ``reviewers``; the filter: ``run``, ``board``, ``risk``, ``q``.
        """
        places = [{"run": run, "row": row} for run, row in reviews]
        return self.send(calls.decide_many(kind=kind, reviews=places, every=every, **given))

    def approve(self, run: str, row: str, *, by: str = "", comment: str = "") -> Decided:
        """Approve the output of a row that waits for a review."""
        return self.decide(run, row, DecisionKind.APPROVE, by=by, comment=comment)

    def reject(self, run: str, row: str, *, by: str = "", comment: str = "") -> Decided:
        """Reject the output of a row that waits for a review, with a reason."""
        return self.decide(run, row, DecisionKind.REJECT, by=by, comment=comment)


class AsyncReviewMethods:
    """Reviews, for the asynchronous client."""

    @abstractmethod
    async def send(self, call: Call[Answer]) -> Answer:
        """Return the answer to a request."""

    async def reviews(self, *, mine: bool = False, **asked: Any) -> Reviews:  # noqa: ANN401 -- values of a query
        """Return what waits for a decision, the most urgent first.

        Args:
            mine: Only what you may decide on.
            asked: ``reviewer``, ``run``, ``board``, ``risk``, ``due_before``, ``q``, ``state``, ``limit``, ``offset``.
        """
        return await self.send(calls.reviews(mine="true" if mine else None, **asked))

    async def review(self, run: str, row: str) -> ReviewDetail:
        """Return every round of a row's review."""
        return await self.send(calls.review(run, row))

    async def decide(
        self,
        run: str,
        row: str,
        kind: DecisionKind | str,
        *,
        by: str = "",
        comment: str = "",
        idempotency_key: str | None = None,
        **given: Any,  # noqa: ANN401 -- JSON values
    ) -> Decided:
        """Decide on a row that waits for a review.

        Args:
            run: The run.
            row: The row.
            kind: ``approve``, ``edit``, ``answer``, ``reject``, ``request_changes``, ``reassign``, ``claim``,
                ``release`` or ``comment``.
            by: Who decides; leave it out where you are logged in.
            comment: A reason, feedback or remark.
            idempotency_key: Repetitions under one key are one decision; a fresh key for each call by default.
            given: ``round``, ``output`` (the edited text), ``answers``, ``reviewers``.
        """
        call = calls.decide(run, row, idempotency_key, kind=kind, by=by, comment=comment, **given)
        return await self.send(call)

    async def decide_many(
        self,
        kind: DecisionKind | str,
        reviews: Sequence[tuple[str, str]] = (),
        *,
        every: bool = False,
        **given: Any,  # noqa: ANN401 -- JSON values
    ) -> BulkDecided:
        """Decide on several reviews, each by itself.

        Args:
            kind: What is decided.
            reviews: Run and row of each.
            every: Take all that fit the filter instead.
            given: ``by``, ``comment``, ``reviewers``; the filter: ``run``, ``board``, ``risk``, ``q``.
        """
        places = [{"run": run, "row": row} for run, row in reviews]
        return await self.send(calls.decide_many(kind=kind, reviews=places, every=every, **given))

    async def approve(self, run: str, row: str, *, by: str = "", comment: str = "") -> Decided:
        """Approve the output of a row that waits for a review."""
        return await self.decide(run, row, DecisionKind.APPROVE, by=by, comment=comment)

    async def reject(self, run: str, row: str, *, by: str = "", comment: str = "") -> Decided:
        """Reject the output of a row that waits for a review, with a reason."""
        return await self.decide(run, row, DecisionKind.REJECT, by=by, comment=comment)
