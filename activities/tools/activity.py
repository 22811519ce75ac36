"""The activity that decides on a model's calls of tools."""

import asyncio
import difflib
import json
from typing import Any

from temporalio import activity

from activities.artifacts.contracts import Text, Texts
from activities.policy.engine import PolicyEngine
from activities.tools.contracts import CallOutcome, ToolCheck, ToolCheckRequest, ToolUse
from catalogs.tools import Tool
from temporal.names import ActivityName


class ToolActivities:
    """Decides whether a call is carried out. The sandbox carries it out.

    Args:
        texts: Reads tools and arguments, and keeps them.
        policy: Decides on calls.
    """

    def __init__(self, texts: Texts, policy: PolicyEngine) -> None:
        self._texts = texts
        self._policy = policy

    @activity.defn(name=ActivityName.CHECK_TOOL)
    async def check(self, request: ToolCheckRequest) -> ToolCheck:
        """Ask the policy about a call, and hold its arguments to the tool's schema.

        A call that is not carried out is a result, not an error: the model is told and may do otherwise.
        """
        # Not at the top: workflows import this module, and need neither jsonschema nor regex.
        from activities.verification.documents import canonical  # noqa: PLC0415 -- see above

        given = await self._texts.read(request.arguments)
        kept = (await self._texts.keep(given)).by_reference
        definition = request.tools.get(request.name)
        if definition is None:
            told = f"there is no tool {request.name!r}{_near(request)}"
            return ToolCheck(name=request.name, outcome=CallOutcome.UNKNOWN, reasons=(told,), arguments=kept)
        tool = Tool.model_validate_json(await self._texts.read(Text(digest=definition, size=0)))
        use = ToolUse(request=request, language=tool.language, arguments=_object(given))
        permission = await self._policy.use_tool(use)
        known = {"name": request.name, "policy": permission.policy, "definition": definition, "arguments": kept}
        if not permission.allow:
            reasons = permission.deny or ("the policy gave no reason",)
            return ToolCheck(outcome=CallOutcome.DENIED, reasons=reasons, **known)
        document, faults = await asyncio.to_thread(canonical, tool.parameters, given or "{}")
        if faults:
            return ToolCheck(outcome=CallOutcome.INVALID, reasons=tuple(faults), **known)
        return ToolCheck(
            outcome=CallOutcome.ALLOWED,
            review=permission.review,
            language=tool.language,
            program=(await self._texts.keep(tool.code)).by_reference,
            **(known | {"arguments": (await self._texts.keep(document)).by_reference}),
        )


def _near(request: ToolCheckRequest) -> str:
    near = difflib.get_close_matches(request.name[:100], request.tools, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(request.tools)}"


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
