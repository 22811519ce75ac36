"""The activities of reviews: planning a round, recording it, and writing answers into an output."""

import json

from temporalio import activity

from activities.artifacts.contracts import Text, Texts
from activities.reviews.contracts import (
    AnswersRequest,
    ApprovalPlanner,
    ReviewOpening,
    ReviewRecord,
    ReviewRecorded,
    ReviewRegister,
    ReviewTerms,
)
from temporal.names import ActivityName


class ReviewActivities:
    """Plans and records reviews. Holds its backends; knows no workflow.

    Args:
        planner: Knows the approval rules.
        register: Keeps what reviewers see.
        texts: Where outputs are read from and kept.
    """

    def __init__(self, planner: ApprovalPlanner, register: ReviewRegister, texts: Texts) -> None:
        self._planner = planner
        self._register = register
        self._texts = texts

    @activity.defn(name=ActivityName.OPEN_REVIEW)
    async def open_review(self, opening: ReviewOpening) -> ReviewTerms:
        """Return who decides on a round, and until when."""
        return self._planner.terms(opening)

    @activity.defn(name=ActivityName.RECORD_REVIEW)
    async def record_review(self, record: ReviewRecord) -> ReviewRecorded:
        """Record a round as it stands."""
        return ReviewRecorded(written=await self._register.record(record))

    @activity.defn(name=ActivityName.ATTACH_ANSWERS)
    async def attach_answers(self, request: AnswersRequest) -> Text:
        """Return the output with the answers to its form, as later rows and results show it."""
        output = await self._texts.read(request.output)
        answers = json.dumps(request.answers, ensure_ascii=False, indent=2, sort_keys=True)
        return await self._texts.keep(f"{output.rstrip()}\n\nAnswers by {request.by}:\n\n```json\n{answers}\n```\n")
