"""The activities of a reflection: gather what is to be reflected on, and act on what a person made of the proposal."""

import json
from typing import Final

from pydantic import ValidationError
from temporalio import activity

from activities.artifacts.contracts import ArtifactStore
from activities.notifications.contracts import Notification, Notifier
from activities.reflections.contracts import (
    EvidenceSource,
    Experiments,
    Gathered,
    PromptVersion,
    ProposalCatalogs,
    ProposalRefused,
    Reflection,
    ReflectionRegister,
    ReflectionState,
    ReflectRequest,
    SettleRequest,
)
from activities.scans.contracts import SecretScanner
from catalogs.evidence import ROW, Evidence
from catalogs.team import Agent
from temporal.contract import StepRef
from temporal.names import ActivityName
from temporal.redaction import PROCESS

# As the policy that ships orders them; a class that it does not know is kept closest.
_CLASSES: Final = ("", "public", "internal", "confidential", "restricted")
_TEXTS: Final = ("why", "task", "answer", "better")
LEFT_OUT: Final = "[left out: it seems to hold a secret]"


class ReflectionActivities:
    """Begins and ends reflections. What lies between, a model's proposal and its review, is a row like all others.

    Args:
        source: Where evidence comes from.
        catalogs: Makes the catalog that has a prompt proposed.
        register: Remembers reflections.
        scanner: Finds secrets in what people wrote, before a model is shown it.
        artifacts: Where proposals are.
        experiments: Compares what was approved with what it was made of.
        notifier: Tells whoever asked.
        wanted: How many pieces of evidence there must be, where a request does not say.
    """

    def __init__(
        self,
        *,
        source: EvidenceSource,
        catalogs: ProposalCatalogs,
        register: ReflectionRegister,
        scanner: SecretScanner,
        artifacts: ArtifactStore,
        experiments: Experiments,
        notifier: Notifier,
        wanted: int,
    ) -> None:
        self._source = source
        self._catalogs = catalogs
        self._register = register
        self._scanner = scanner
        self._artifacts = artifacts
        self._experiments = experiments
        self._notifier = notifier
        self._wanted = wanted

    @activity.defn(name=ActivityName.GATHER_EVIDENCE)
    async def gather(self, request: ReflectRequest) -> Gathered:
        """Make a catalog of what is wrong with an agent's outputs, if there is enough of it."""
        wanted = request.wanted or self._wanted
        await self._register.begin(request, wanted)
        begun = await self._register.reflection(request.reflection)
        assert begun is not None  # noqa: S101 -- it was just written
        agent = await self._catalogs.agent(request.agent)
        if agent is None:
            return await self._ended(begun, ReflectionState.FAILED, f"there is no agent {request.agent}")
        since = ""
        if not request.by and (last := await self._register.last(request.agent, request.reflection)):
            if not last.state.ended:
                told = f"nothing to reflect on: reflection {last.reflection} waits for a person"
                return await self._ended(begun, ReflectionState.NOTHING, told)
            since = last.at
        evidence, data_class = _of_one_class(await self._source.evidence(agent, request.board, since))
        evidence, left_out = await self._shown(evidence)
        found = begun.model_copy(update={"definition": agent, "evidence": len(evidence), "left_out": left_out})
        if len(evidence) < wanted:
            told = (
                f"nothing to reflect on: {len(evidence)} of {wanted} pieces of evidence on {agent.label} as it is now"
            )
            return await self._ended(found, ReflectionState.NOTHING, told)
        try:
            compiled = await self._catalogs.compiled(request, agent, evidence, data_class)
        except ProposalRefused as refused:
            return await self._ended(found, ReflectionState.FAILED, refused.message)
        await self._register.change(found.model_copy(update={"state": ReflectionState.UNDER_WAY}))
        return Gathered(
            state=ReflectionState.UNDER_WAY,
            title=compiled.title,
            plan=compiled.digest,
            total=compiled.total,
            page_rows=compiled.page_rows,
        )

    @activity.defn(name=ActivityName.SETTLE_REFLECTION)
    async def settle(self, request: SettleRequest) -> Reflection:
        """Make a version of what a person approved, and have it compared; else note how the proposal ended."""
        reflection = await self._register.reflection(request.reflection)
        assert reflection is not None  # noqa: S101 -- it was gathered for
        if not reflection.state.ended:
            await self._settle(reflection)
            reflection = await self._register.reflection(request.reflection)
            assert reflection is not None  # noqa: S101 -- likewise
        await self._tell(reflection)
        return reflection

    async def _settle(self, reflection: Reflection) -> None:
        ending = await self._register.ending(reflection.reflection)
        if not ending.succeeded or ending.output is None:
            state = ReflectionState.REJECTED if ending.rejected else ReflectionState.FAILED
            await self._ended(reflection, state, ending.message)
            return
        present = reflection.definition
        assert present is not None  # noqa: S101 -- what is proposed is proposed for an agent
        try:
            proposed = _proposed(present, await self._artifacts.get(ending.output))
        except (ValueError, KeyError) as fault:
            await self._ended(reflection, ReflectionState.FAILED, f"what was approved is no prompt: {fault}")
            return
        version = PromptVersion(
            digest=proposed.digest,
            definition=proposed,
            parent=present.digest,
            reflection=reflection.reflection,
            approved_by=ending.decided_by,
            at=ending.at,
        )
        version = version.model_copy(update={"experiment": await self._experiments.compare(version, present)})
        told = f"{proposed.label} was approved by {version.approved_by or 'nobody'}"
        approved = reflection.model_copy(update={"state": ReflectionState.APPROVED, "message": told})
        await self._register.approve(approved, version)

    async def _ended(self, reflection: Reflection, state: ReflectionState, message: str) -> Gathered:
        await self._register.change(reflection.model_copy(update={"state": state, "message": message}))
        return Gathered(state=state, message=message)

    async def _shown(self, evidence: list[Evidence]) -> tuple[list[Evidence], int]:
        """Return the evidence without texts that seem to hold secrets, and how many those are."""
        shown, left_out = [], 0
        for one in evidence:
            texts = {}
            for name in _TEXTS:
                text = PROCESS.redacted(getattr(one, name))
                if text and (await self._scanner.scan(text)).findings:
                    text, left_out = LEFT_OUT, left_out + 1
                texts[name] = text
            shown.append(one.model_copy(update=texts))
        return shown, left_out

    async def _tell(self, reflection: Reflection) -> None:
        await self._notifier.deliver(
            Notification(
                step=StepRef(run=reflection.reflection, row=ROW, step="settled"),
                recipients=(reflection.by,) if reflection.by else (),
                title=f"Reflection on {reflection.agent}: {reflection.state.value}",
                body=reflection.message,
            )
        )


def _proposed(present: Agent, output: bytes) -> Agent:
    """Return the agent that an approved proposal makes of the present one; a person may have written it.

    Raises:
        ValueError: It is no proposal, its prompt is empty, too long, or the present one.
        KeyError: It has no prompt.
    """
    try:
        proposed = present.told(json.loads(output)["prompt"])
    except ValidationError as fault:
        raise ValueError("; ".join(error["msg"] for error in fault.errors())) from None
    if proposed.system == present.system:
        raise ValueError("it is the present one")
    return proposed


def _of_one_class(evidence: list[Evidence]) -> tuple[list[Evidence], str]:
    """Return evidence that can be kept together, and how closely: a row has one data class, and none is weakened."""
    closest = max((one.data_class for one in evidence), key=_rank, default="")
    together = [one for one in evidence if one.data_class == closest or _rank(one.data_class) < _rank(closest)]
    return together, closest


def _rank(data_class: str) -> int:
    return _CLASSES.index(data_class) if data_class in _CLASSES else len(_CLASSES)
