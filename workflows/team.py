"""How several agents bring about a row's output: each pattern is a few turns, those side by side at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text
    from activities.llm.contracts import ModelAnswer
    from activities.prompts.contracts import NamedText, Prompt, Turn
    from activities.teams.activity import TeamActivities
    from activities.teams.contracts import Choice, ChoiceRequest, Items, ListRequest, VoteRequest
    from catalogs.row import CatalogRow
    from catalogs.team import Agent, Pattern, TurnKind
    from catalogs.team_answers import MAX_ITEMS
    from temporal.contract import StepRef
    from temporal.names import ErrorCode
    from workflows.steps import RowSteps
    from workflows.timeouts import QUICK_CHECK

# Turns of one row at a time; between one lot and the next its budget is looked at.
WIDTH: Final = 16
_TITLE_CHARS: Final = 80
Call = Callable[[Prompt, Agent, StepRef], Awaitable[ModelAnswer]]


class TeamFailed(Exception):
    """The agents' answers lead to no output; asked anew they may."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Written(Protocol):
    """What the agents write to."""

    def choose(self, answer: ModelAnswer, agent: Agent, by: str, outcome: str) -> None:
        """Take one of the answers as the output."""
        ...


@dataclass(frozen=True)
class Team:
    """The agents of a row at work.

    Args:
        steps: The row's steps.
        row: The row.
        call: Makes the paid call of a turn, and takes its answer down.
    """

    steps: RowSteps
    row: CatalogRow
    call: Call

    async def write(self, draft: Written) -> None:
        """Have the output written. The last answer that is taken down, or the one that is chosen, is the output.

        Raises:
            TeamFailed: There is no majority, the judge chose none, or there is no list to work through.
        """
        patterns = {
            Pattern.PIPELINE: self._pipeline,
            Pattern.VOTE: self._vote,
            Pattern.JUDGE: self._judge,
            Pattern.DEBATE: self._debate,
            Pattern.MAP: self._map,
            Pattern.PLAN: self._plan,
        }
        assert self.row.pattern is not None  # noqa: S101 -- without one there is no team
        await patterns[self.row.pattern](draft)

    async def again(self, author: Agent, failures: tuple[str, ...], previous: Text | None) -> None:
        """Have the agent whose text it is write it once more, with what is to be corrected."""
        turn = self._planning(author) if self.row.pattern is Pattern.PLAN else Turn(agent=author)
        await self._turn(turn, self._refs(), failures, previous)

    async def _pipeline(self, draft: Written) -> None:  # noqa: ARG002 -- the last answer is the output
        shown: tuple[NamedText, ...] = ()
        for number, agent in enumerate(self.row.team, start=1):
            kind = TurnKind.CONTINUE if shown else TurnKind.ANSWER
            answer = await self._turn(Turn(kind=kind, agent=agent, shown=shown), self._refs())
            shown += (_named(f"Turn {number}, {agent.name}", answer),)

    async def _vote(self, draft: Written) -> None:
        agents = self.row.team
        answers = await self._turns(Turn(agent=agent) for agent in agents)
        step = self.steps.ref("vote")
        request = VoteRequest(step=step, answers=tuple(answer.output for answer in answers))
        choice: Choice = await self.steps.perform(
            step, lambda: workflow.execute_local_activity_method(TeamActivities.vote, request, **QUICK_CHECK)
        )
        if choice.chosen is None:
            told = f"{choice.votes} of {choice.of} agents agree on an answer, which is not more than half"
            raise TeamFailed(ErrorCode.NO_AGREEMENT, told)
        outcome = f"{choice.votes} of {choice.of}"
        draft.choose(answers[choice.chosen], agents[choice.chosen], "vote", outcome)

    async def _judge(self, draft: Written) -> None:
        *agents, judge = self.row.team
        answers = await self._turns(Turn(agent=agent) for agent in agents)
        # By number: who knows who wrote what may judge that instead.
        shown = tuple(_named(f"Answer {number}", answer) for number, answer in enumerate(answers, start=1))
        verdict = await self._turn(Turn(kind=TurnKind.PICK, agent=judge, shown=shown), self._refs())
        step = self.steps.ref("choice")
        request = ChoiceRequest(step=step, answer=verdict.output, of=len(answers))
        choice: Choice = await self.steps.perform(
            step, lambda: workflow.execute_local_activity_method(TeamActivities.choose, request, **QUICK_CHECK)
        )
        if choice.chosen is None:
            raise TeamFailed(ErrorCode.NO_AGREEMENT, f"{judge.name} named none of the {choice.of} answers, or several")
        outcome = f"answer {choice.chosen + 1} of {choice.of}"
        draft.choose(answers[choice.chosen], agents[choice.chosen], judge.label, outcome)

    async def _debate(self, draft: Written) -> None:  # noqa: ARG002 -- the last answer is the output
        *agents, last = self.row.team
        shown: tuple[NamedText, ...] = ()
        for _ in range(self.row.rounds):
            kind = TurnKind.DEBATE if shown else TurnKind.ANSWER
            answers = await self._turns([Turn(kind=kind, agent=agent, shown=shown) for agent in agents])
            spoken = enumerate(zip(agents, answers, strict=True), start=1)
            shown = tuple(_named(f"Answer {number}, {agent.name}", answer) for number, (agent, answer) in spoken)
        await self._turn(Turn(kind=TurnKind.CONCLUDE, agent=last, shown=shown), self._refs())

    async def _map(self, draft: Written) -> None:  # noqa: ARG002 -- the last answer is the output
        *listing, worker, last = self.row.team
        texts = tuple(one.text for one in self.steps.upstream)
        if listing:
            texts = ((await self._turn(Turn(kind=TurnKind.LIST, agent=listing[0]), self._refs())).output,)
        items = await self._items(texts)
        answers = await self._turns(Turn(kind=TurnKind.ITEM, agent=worker, item=item) for item in items)
        done = enumerate(zip(items, answers, strict=True), start=1)
        shown = tuple(_named(f"Part {number}, {item[:_TITLE_CHARS]}", answer) for number, (item, answer) in done)
        await self._turn(Turn(kind=TurnKind.REDUCE, agent=last, shown=shown), self._refs())

    async def _plan(self, draft: Written) -> None:  # noqa: ARG002 -- the answer is the output
        await self._turn(self._planning(self.row.team[0]), self._refs())

    def _planning(self, agent: Agent) -> Turn:
        return Turn(kind=TurnKind.PLAN, agent=agent, item=str(self.row.plan_rows))

    async def _items(self, texts: tuple[Text, ...]) -> tuple[str, ...]:
        step = self.steps.ref("list")
        request = ListRequest(step=step, texts=texts)
        found: Items = await self.steps.perform(
            step, lambda: workflow.execute_local_activity_method(TeamActivities.list_items, request, **QUICK_CHECK)
        )
        if not found.items or found.found > MAX_ITEMS:
            raise TeamFailed(ErrorCode.INVALID_LIST, f"the list has {found.found} parts; expected 1 to {MAX_ITEMS}")
        return found.items

    async def _turns(self, turns: Iterable[Turn]) -> list[ModelAnswer]:
        """Have turns taken side by side, and return their answers in the order of the turns."""
        # Numbered before the first begins: another execution of the row finds each answer under the same key,
        # whoever is the first to answer.
        numbered = [(turn, self._refs()) for turn in turns]
        answers: list[ModelAnswer] = []
        for first in range(0, len(numbered), WIDTH):
            answers += await _all(self._turn(turn, refs) for turn, refs in numbered[first : first + WIDTH])
        return answers

    async def _turn(
        self,
        turn: Turn,
        refs: tuple[StepRef, StepRef],
        failures: tuple[str, ...] = (),
        previous: Text | None = None,
    ) -> ModelAnswer:
        prompt = await self.steps.compose(self.row, failures=failures, previous=previous, turn=turn, step=refs[0])
        return await self.call(prompt, turn.agent, refs[1])

    def _refs(self) -> tuple[StepRef, StepRef]:
        return self.steps.ref("prompt"), self.steps.ref("model", paid=True)


async def _all(turns: Iterable[Awaitable[ModelAnswer]]) -> list[ModelAnswer]:
    """Await all turns, also where one fails: what the others cost is known only when they have ended."""
    ended: Sequence[ModelAnswer | BaseException] = await asyncio.gather(*turns, return_exceptions=True)
    answers = []
    for one in ended:
        if isinstance(one, BaseException):
            raise one
        answers.append(one)
    return answers


def _named(name: str, answer: ModelAnswer) -> NamedText:
    return NamedText(name=name, text=answer.output)
