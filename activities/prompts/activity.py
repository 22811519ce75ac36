"""The activity that composes prompts."""

import asyncio

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.prompts.contracts import ComposeRequest, Prompt, Windows, unknown_windows
from activities.prompts.parts import PromptParts
from temporal.names import ActivityName


class PromptActivities:
    """Composes what a model is asked, and keeps it.

    Args:
        texts: Where outputs are read from, and the prompt is kept.
        windows: How many tokens a model group reads; ``None`` where nobody said.
    """

    def __init__(self, texts: Texts, windows: Windows = unknown_windows) -> None:
        self._texts = texts
        self._windows = windows

    @activity.defn(name=ActivityName.COMPOSE)
    async def compose(self, request: ComposeRequest) -> Prompt:
        """Return the prompt of a row, of one of its steps, of an agent's turn, or of its second attempt.

        Raises:
            TemplateFailed: The row's template cannot be rendered, or the row has no such step.
        """
        parts = await PromptParts.read(request, self._texts)
        window = self._window(request)
        text, dropped = await asyncio.to_thread(parts.within, window)
        return Prompt(
            system=parts.system,
            text=await self._texts.keep(text),
            template=parts.template,
            window=window,
            dropped=dropped,
        )

    def _window(self, request: ComposeRequest) -> int | None:
        agent = request.turn.agent if request.turn else None
        said = [self._windows(request.row.model or (agent.model if agent else ""))]
        said.append(agent.limits.context_tokens if agent else None)
        return min((tokens for tokens in said if tokens is not None), default=None)
