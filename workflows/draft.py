"""How a row's output comes about: prompt, model, verification, and one more try with the failures told."""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text
    from activities.llm.contracts import ModelAnswer
    from activities.prompts.contracts import NamedText, Prompt, Turn
    from activities.provenance.contracts import CustodyAct
    from activities.records.contracts import RowState
    from activities.verification.contracts import Basis, Verdict
    from catalogs.row import CatalogRow, Mode
    from catalogs.team import Agent
    from temporal.contract import StepRef
    from temporal.names import ErrorCode
    from workflows.custody import chosen, written
    from workflows.steps import RowSteps
    from workflows.team import Team, TeamFailed

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
        edited: What a reviewer made of it.
        prompts: Digests of the prompts, in the order of the calls.
        models: Deployments that answered, in the order of the calls.
        custody: What was done to the output so far.
        author: Agent who wrote the last answer, where one is defined.
        passages: What was found for the row in its collections; ``None`` before it was looked up.
    """

    answer: ModelAnswer | None = None
    prompts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    verdicts: tuple[Verdict, ...] = ()
    edited: Text | None = None
    custody: tuple[CustodyAct, ...] = ()
    author: Agent | None = None
    passages: tuple[NamedText, ...] | None = None

    def add(self, prompt: Prompt, answer: ModelAnswer, agent: Agent | None = None) -> None:
        """Take a call's answer, given in the turn of an agent where one is defined."""
        self.author = agent
        self.answer = answer
        self.edited = None
        self.prompts += (prompt.text.digest,)
        self.models += (answer.model,)
        self.custody += (written(prompt, answer, agent),)
        self.charge(answer)

    def choose(self, answer: ModelAnswer, agent: Agent, by: str, outcome: str) -> None:
        """Take one of the answers that agents gave as the output."""
        self.answer, self.author = answer, agent
        self.custody += (chosen(answer, by, outcome, agent),)

    def charge(self, answer: ModelAnswer) -> None:
        """Count what a call cost."""
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens
        self.cost_usd += answer.cost_usd

    @property
    def output(self) -> Text | None:
        """The row's output as it stands."""
        return self.edited or (self.answer.output if self.answer else None)

    @property
    def failures(self) -> tuple[str, ...]:
        """Criteria that the last answer failed, with reasons."""
        return tuple(f"{v.criterion}: {v.reason}" for v in self.verdicts if v.passed is False)


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
    for _ in range(DRAFTS):
        await _ask(steps, row, draft, feedback + draft.failures, previous)
        draft.verdicts = await _verify(steps, row, draft, judge_group)
        if not draft.failures:
            return


async def _ask(
    steps: RowSteps, row: CatalogRow, draft: Draft, failures: tuple[str, ...], previous: Text | None
) -> None:
    if row.pattern is not None:
        await _ask_team(steps, row, draft, failures)
        return
    agent = row.team[0] if row.team else None
    turn = Turn(agent=agent) if agent else None
    if row.mode is Mode.SINGLE or not row.workflow:
        prompt = await steps.compose(row, failures=failures, previous=previous, turn=turn)
        await _call(steps, row, draft, prompt, agent)
        return
    earlier: tuple[NamedText, ...] = ()
    for phase, name in enumerate(row.workflow):
        prompt = await steps.compose(row, phase=phase, earlier=earlier, failures=failures, previous=previous, turn=turn)
        answer = await _call(steps, row, draft, prompt, agent)
        earlier += (NamedText(name=name, text=answer.output),)


async def _ask_team(steps: RowSteps, row: CatalogRow, draft: Draft, failures: tuple[str, ...]) -> None:
    async def call(prompt: Prompt, agent: Agent, step: StepRef) -> ModelAnswer:
        return await _call(steps, row, draft, prompt, agent, step)

    team = Team(steps, row, call)
    if failures and draft.author is not None:
        await team.again(draft.author, failures, draft.output)
        return
    try:
        await team.write(draft)
    except TeamFailed as failed:
        # Answers that lead nowhere were refused as if a criterion had: a retry asks for fresh ones.
        raise RowEnded(RowState.VERIFICATION_FAILED, failed.code, failed.message) from None


async def _call(
    steps: RowSteps,
    row: CatalogRow,
    draft: Draft,
    prompt: Prompt,
    agent: Agent | None = None,
    step: StepRef | None = None,
) -> ModelAnswer:
    if row.budget_usd is not None and draft.prompts and draft.cost_usd >= row.budget_usd > 0:
        raise RowEnded(
            RowState.FAILED,
            ErrorCode.BUDGET_EXCEEDED,
            f"{len(draft.prompts)} calls cost ${draft.cost_usd:.4f}; budget_usd of the row is {row.budget_usd}",
        )
    answer = await steps.complete(row, prompt, agent, step)
    draft.add(prompt, answer, agent)
    if not answer.output.size:
        raise RowEnded(
            RowState.FAILED, ErrorCode.MODEL_REFUSED, f"{answer.model} gave an empty answer ({answer.finish_reason})"
        )
    return answer


async def _verify(steps: RowSteps, row: CatalogRow, draft: Draft, judge_group: str) -> tuple[Verdict, ...]:
    if not row.verification or draft.answer is None:
        return ()
    verdicts = (await steps.verify(row, draft.answer.output)).verdicts
    open_ = tuple(v.criterion for v in verdicts if v.basis is Basis.UNVERIFIED)
    if not open_ or not judge_group:
        return verdicts
    judgement = await steps.judge(row, open_, draft.answer)
    draft.charge(judgement.answer)
    judged = iter(judgement.verdicts)
    return tuple(next(judged) if v.basis is Basis.UNVERIFIED else v for v in verdicts)
