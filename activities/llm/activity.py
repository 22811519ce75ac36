"""Model calls as activities: they wait for the gateway and beat while they wait."""

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.heartbeat import beating
from activities.llm.contracts import Completion, Judgement, JudgeRequest, ModelAnswer, ModelRequest
from activities.verification.judge import judge_prompt, parse_verdicts
from temporal.names import ActivityName


class ModelActivities:
    """Activities of the model queue. Holds the way to the gateway; knows no workflow."""

    def __init__(self, completion: Completion, texts: Texts) -> None:
        self._completion = completion
        self._texts = texts

    @activity.defn(name=ActivityName.COMPLETE)
    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Ask the model; an answer that was paid for under the same key comes back unpaid."""
        return await beating(self._completion.complete(request))

    @activity.defn(name=ActivityName.JUDGE)
    async def judge(self, request: JudgeRequest) -> Judgement:
        """Have the judging model look at free-text criteria."""
        system, user = judge_prompt(request.objective, request.criteria, await self._texts.read(request.output))
        call = ModelRequest(
            step=request.step,
            group=request.group,
            system=system,
            prompt=await self._texts.pack(user),
            timeout=request.timeout,
            local_only=request.local_only,
            cache=request.cache,
            board=request.board,
        )
        answer = await beating(self._completion.complete(call))
        verdicts = parse_verdicts(await self._texts.read(answer.output), request.criteria)
        return Judgement(verdicts=verdicts, answer=answer)
