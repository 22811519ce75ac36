"""How a row's output comes about: prompt, model, verification, and one more try with the failures told."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text
    from activities.llm.contracts import ModelAnswer, Similar
    from activities.planning.contracts import Proposed
    from activities.prompts.contracts import NamedText, Prompt, Turn
    from activities.provenance.contracts import CustodyAct
    from activities.records.contracts import RowState
    from activities.routing.contracts import Route
    from activities.verification.contracts import OUTPUT_SCHEMA, Basis, Verdict
    from catalogs.row import CatalogRow, Mode
    from catalogs.team import Agent, Pattern
    from temporal.contract import StepRef
    from temporal.names import ErrorCode
    from workflows.custody import chosen, proposed, structured, written
    from workflows.performing import now
    from workflows.steps import RowSteps
    from workflows.team import Team, TeamFailed
    from workflows.tooling import RowTools

DRAFTS = 2


class RowEnded(Exception):
    """The row ends here, in this state, for this reason."""

    def __init__(self, state: RowState, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.state = state
        self.code = code
        self.message = message


@dataclass
class Draft:
    """What the model has said so far, over all calls of the row's execution.

    Args:
        answer: The last answer; its output is the row's output unless a reviewer made another of it.
        structured: The answer as canonical JSON, where it has to fit a schema and does.
        edited: What a reviewer made of it.
        prompts: Digests of the prompts, in the order of the calls.
        models: Deployments that answered, in the order of the calls.
        similar: Requests that were not the same, and whose answers served.
        custody: What was done to the output so far.
        proposed: The rows that it proposes, where the row plans others, and what is to be said of them.
        author: Agent who wrote the last answer, where one is defined.
        passages: What was found for the row in its collections; ``None`` before it was looked up.
        looked_at: Why the policy wants a person to look at it, since the model called tools.
        routed: Whether a step of its own chooses who writes.
        route: Who was chosen.
        tier: Which of those writes now, from 0.
        routing: Held while they are chosen.
    """

    answer: ModelAnswer | None = None
    prompts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    saved_usd: float = 0.0
    cached_calls: int = 0
    similar: tuple[Similar, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    structured: Text | None = None
    edited: Text | None = None
    custody: tuple[CustodyAct, ...] = ()
    proposed: Proposed | None = None
    author: Agent | None = None
    passages: tuple[NamedText, ...] | None = None
    looked_at: tuple[str, ...] = ()
    routed: bool = False
    route: Route | None = None
    tier: int = 0
    routing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def add(self, prompt: Prompt, answer: ModelAnswer, agent: Agent | None = None) -> None:
        """Take a call's answer, given in the turn of an agent where one is defined."""
        self.author = agent
        self.answer = answer
        self.structured = self.edited = self.proposed = None
        self.prompts += (prompt.text.digest,)
        self.models += (answer.model,)
        self.custody += (written(prompt, answer, agent),)
        self.charge(answer)

    def choose(self, answer: ModelAnswer, agent: Agent, by: str, outcome: str) -> None:
        """Take one of the answers that agents gave as the output."""
        self.answer, self.author, self.structured = answer, agent, None
        self.custody += (chosen(answer, by, outcome, agent),)

    def charge(self, answer: ModelAnswer) -> None:
        """Count what a call cost."""
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens
        self.cost_usd += answer.cost_usd
        self.saved_usd += answer.saved_usd
        self.cached_calls += bool(answer.cached_from)
        self.similar += (answer.similar,) if answer.similar else ()

    @property
    def output(self) -> Text | None:
        """The row's output as it stands."""
        return self.edited or self.structured or (self.answer.output if self.answer else None)

    @property
    def unplannable(self) -> tuple[str, ...]:
        """Why nobody may have the rows added that it proposes."""
        return self.proposed.objections if self.proposed else ()

    @property
    def may_escalate(self) -> bool:
        """Whether there is a next tier that could write it."""
        return self.route is not None and self.tier + 1 < len(self.route.groups)

    @property
    def failures(self) -> tuple[str, ...]:
        """Criteria that the last answer failed, with reasons."""
        return tuple(f"{v.criterion}: {v.reason}" for v in self.verdicts if v.passed is False)

    def failures_beyond(self, earlier: tuple[Verdict, ...]) -> tuple[str, ...]:
        """Return the failures of this output that an earlier one, of which these verdicts are, had not."""
        known = {v.criterion for v in earlier if v.passed is False}
        return tuple(
            f"{v.criterion}: {v.reason}" for v in self.verdicts if v.passed is False and v.criterion not in known
        )


async def write_draft(
    steps: RowSteps, row: CatalogRow, draft: Draft, judge_group: str, feedback: tuple[str, ...] = ()
) -> None:
    """Ask, verify, and where a criterion failed ask once more with the failures in the prompt.

    Args:
        steps: The row's steps.
        row: The row.
        draft: What the model has said so far.
        judge_group: Model group that judges free-text criteria; empty leaves them unverified.
        feedback: What a reviewer wants changed of the output; the model is shown both.
    """
    previous = draft.output if feedback else None
    if row.knowledge and draft.passages is None:
        draft.passages = (await steps.retrieve(row)).passages
    steps.sees(row, draft.passages or ())
    for number in range(DRAFTS):
        if number:
            escalate(steps, draft)
        structure = await _ask(steps, row, draft, feedback + draft.failures, previous)
        verdicts = await verified(steps, row, draft, judge_group)
        draft.verdicts = structure + verdicts
        # What does not fit its schema was repaired in vain already: only a better model may do better.
        in_vain = any(verdict.passed is False for verdict in structure) and not draft.may_escalate
        if not draft.failures or in_vain:
            return


async def check_edit(steps: RowSteps, row: CatalogRow, draft: Draft, judge_group: str) -> tuple[str, ...]:
    """Check what a reviewer made of the output; return why it cannot leave as it is."""
    assert draft.edited is not None  # noqa: S101 -- there is an edit to check
    structure: tuple[Verdict, ...] = ()
    misfits: tuple[str, ...] = ()
    if row.output_schema is not None:
        found = await steps.structure(row.output_schema, draft.edited)
        draft.edited = found.output or draft.edited
        structure = (found.verdict,)
        # Later rows read its fields: no person can wave it through.
        misfits = tuple(f"{OUTPUT_SCHEMA}: {fault}" for fault in found.faults)
        if row.pattern is Pattern.PLAN:
            draft.proposed = Proposed(output=draft.edited.digest, faults=misfits)
            if not misfits:
                draft.proposed = await steps.read_proposal(row, draft.edited)
                structure += (draft.proposed.verdict,)
                misfits = draft.proposed.objections
    draft.verdicts = structure + await verified(steps, row, draft, judge_group)
    return misfits


def escalate(steps: RowSteps, draft: Draft) -> None:
    """Have the next tier write what failed verification, where there is one."""
    if draft.route is None or not draft.may_escalate:
        return
    before, draft.tier = steps.group, draft.tier + 1
    steps.group = draft.route.groups[draft.tier]
    told = f"{steps.group} writes what {before} did not get right: " + "; ".join(draft.failures)
    steps.note("route", steps.ref("route", paid=True).ordinal, told, now(), {"from": before, "to": steps.group})


async def _ask(
    steps: RowSteps, row: CatalogRow, draft: Draft, failures: tuple[str, ...], previous: Text | None
) -> tuple[Verdict, ...]:
    """Have the output written, in one call or step by step; return the verdict on its structure, if it has one."""
    if row.pattern is not None:
        return await _ask_team(steps, row, draft, failures)
    turn = Turn(agent=row.team[0]) if row.team else None
    if row.mode is Mode.SINGLE or not row.workflow:
        return await _write(steps, row, draft, Ask(failures=failures, previous=previous, turn=turn))
    earlier: tuple[NamedText, ...] = ()
    *before, last = range(len(row.workflow))
    for phase in before:
        ask = Ask(phase=phase, earlier=earlier, failures=failures, previous=previous, turn=turn)
        answer = await _ask_once(steps, row, draft, ask)
        earlier += (NamedText(name=row.workflow[phase], text=answer.output),)
    ask = Ask(phase=last, earlier=earlier, failures=failures, previous=previous, turn=turn)
    return await _write(steps, row, draft, ask)


async def _ask_team(steps: RowSteps, row: CatalogRow, draft: Draft, failures: tuple[str, ...]) -> tuple[Verdict, ...]:
    """Have agents write the output; where there is one already, the agent whose text it is writes it once more."""
    wanted: dict[str, Any] = {"output_schema": row.output_schema} if row.pattern is Pattern.PLAN else {}

    async def call(prompt: Prompt, agent: Agent, step: StepRef) -> ModelAnswer:
        return await _converse(steps, row, draft, prompt, agent=agent, step=step, **wanted)

    team = Team(steps, row, call)
    if failures and draft.author is not None:
        wanted["output_schema"] = row.output_schema
        await team.again(draft.author, failures, draft.output)
    else:
        try:
            await team.write(draft)
        except TeamFailed as failed:
            # Answers that lead nowhere were refused as if a criterion had: a retry asks for fresh ones.
            raise RowEnded(RowState.VERIFICATION_FAILED, failed.code, failed.message) from None
    if row.output_schema is None or draft.author is None:
        return ()
    verdicts = await _fits(steps, row, draft)
    if faults := tuple(f"{verdict.criterion}: {verdict.reason}" for verdict in verdicts if verdict.passed is False):
        wanted |= {"output_schema": row.output_schema, "repair": True}
        await team.again(draft.author, (*failures, *faults), draft.output)
        verdicts = await _fits(steps, row, draft)
    return verdicts


async def _fits(steps: RowSteps, row: CatalogRow, draft: Draft) -> tuple[Verdict, ...]:
    """Return whether the answer fits its schema, and whether the rows could be added that it proposes, if it does."""
    assert row.output_schema is not None  # noqa: S101 -- who asks has looked
    verdict = await _structure(steps, row.output_schema, draft)
    if row.pattern is not Pattern.PLAN or draft.structured is None:
        return (verdict,)
    draft.proposed = await steps.read_proposal(row, draft.structured)
    draft.custody += proposed(draft.structured, draft.proposed)
    return verdict, draft.proposed.verdict


@dataclass(frozen=True)
class Ask:
    """What a prompt is composed of besides the row; see ``RowSteps.compose``."""

    phase: int | None = None
    earlier: tuple[NamedText, ...] = ()
    failures: tuple[str, ...] = ()
    previous: Text | None = None
    turn: Turn | None = None

    @property
    def agent(self) -> Agent | None:
        """Whose turn it is, where an agent is defined."""
        return self.turn.agent if self.turn else None


async def _write(steps: RowSteps, row: CatalogRow, draft: Draft, ask: Ask) -> tuple[Verdict, ...]:
    """Have the output written; one that has to fit a schema and does not is repaired once."""
    answer = await _ask_once(steps, row, draft, ask, output_schema=row.output_schema)
    if row.output_schema is None:
        return ()
    verdict = await _structure(steps, row.output_schema, draft)
    if verdict.passed is False:
        told = (*ask.failures, f"{OUTPUT_SCHEMA}: {verdict.reason}")
        again = replace(ask, failures=told, previous=answer.output)
        await _ask_once(steps, row, draft, again, output_schema=row.output_schema, repair=True)
        verdict = await _structure(steps, row.output_schema, draft)
    return (verdict,)


async def _structure(steps: RowSteps, schema: dict[str, Any], draft: Draft) -> Verdict:
    assert draft.answer is not None  # noqa: S101 -- a call came before, and gave one
    found = await steps.structure(schema, draft.answer.output)
    if found.output is not None:
        draft.structured = found.output
        draft.custody += (structured(draft.answer.output, found.output),)
    return found.verdict


async def _ask_once(
    steps: RowSteps,
    row: CatalogRow,
    draft: Draft,
    ask: Ask,
    **wanted: Any,  # noqa: ANN401 -- of ``_converse``
) -> ModelAnswer:
    """Compose a prompt, and have it answered."""
    prompt = await steps.compose(row, **vars(ask))
    return await _converse(steps, row, draft, prompt, agent=ask.agent, **wanted)


async def _converse(
    steps: RowSteps,
    row: CatalogRow,
    draft: Draft,
    prompt: Prompt,
    *,
    agent: Agent | None,
    step: StepRef | None = None,
    output_schema: dict[str, Any] | None = None,
    repair: bool = False,
) -> ModelAnswer:
    """Ask, and carry out the calls that the model wants, until it answers or has called as often as it may.

    Args:
        steps: The row's steps.
        row: The row.
        draft: Takes the answers down.
        prompt: What is asked.
        agent: Whose turn it is, where one is defined.
        step: The first call, where turns that go on side by side were numbered before they began.
        output_schema: Schema of the object that is to be answered.
        repair: An answer is only put into form: that takes one call, and no tools.
    """
    asked: dict[str, Any] = {"agent": agent, "output_schema": output_schema}
    tools = row.tools_of(agent)
    if repair or not tools:
        return await _call(steps, row, draft, prompt, step=step, **asked)

    async def ask(at: StepRef, **more: Any) -> ModelAnswer:  # noqa: ANN401 -- of ``_call``
        return await _call(steps, row, draft, prompt, step=at, tools=tools, **more, **asked)

    return await RowTools(steps, row, draft, agent).converse(ask, step)


async def _call(
    steps: RowSteps,
    row: CatalogRow,
    draft: Draft,
    prompt: Prompt,
    **more: Any,  # noqa: ANN401 -- of ``RowSteps.complete``
) -> ModelAnswer:
    if row.budget_usd is not None and draft.prompts and draft.cost_usd >= row.budget_usd > 0:
        raise RowEnded(
            RowState.FAILED,
            ErrorCode.BUDGET_EXCEEDED,
            f"{len(draft.prompts)} calls cost ${draft.cost_usd:.4f}; budget_usd of the row is {row.budget_usd}",
        )
    async with draft.routing:
        # Agents take turns side by side, and the row is routed once.
        if draft.routed and draft.route is None:
            draft.route = await steps.route(row, prompt)
            steps.group = draft.route.groups[0]
    answer = await steps.complete(row, prompt, **more)
    draft.add(prompt, answer, more.get("agent"))
    if not answer.output.size and not answer.calls:
        raise RowEnded(
            RowState.FAILED, ErrorCode.MODEL_REFUSED, f"{answer.model} gave an empty answer ({answer.finish_reason})"
        )
    return answer


async def verified(steps: RowSteps, row: CatalogRow, draft: Draft, judge_group: str) -> tuple[Verdict, ...]:
    """Return what code, and where it cannot tell the judging model, says of the output as it stands."""
    output = draft.output
    if not row.verification or output is None:
        return ()
    verdicts = (await steps.verify(row, output)).verdicts
    open_ = tuple(v.criterion for v in verdicts if v.basis is Basis.UNVERIFIED)
    malformed = row.output_schema is not None and draft.structured is None
    if not open_ or not judge_group or malformed:
        return verdicts
    judgement = await steps.judge(row, open_, output)
    draft.charge(judgement.answer)
    judged = iter(judgement.verdicts)
    return tuple(next(judged) if v.basis is Basis.UNVERIFIED else v for v in verdicts)
