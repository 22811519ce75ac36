"""The activity that composes prompts."""

import asyncio

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.prompts.contracts import ComposeRequest, NamedText, Prompt, TemplateFailed
from temporal.names import ActivityName


class PromptActivities:
    """Composes what a model is asked, and keeps it.

    Args:
        texts: Where outputs are read from, and the prompt is kept.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    @activity.defn(name=ActivityName.COMPOSE)
    async def compose(self, request: ComposeRequest) -> Prompt:
        """Return the prompt of a row, of one of its steps, or of its second attempt.

        Raises:
            TemplateFailed: The row's template cannot be rendered, or the row has no such step.
        """
        outputs = dict(await self._read(request.upstream))
        earlier = await self._read(request.earlier)
        previous = await self._texts.read(request.previous) if request.previous else ""
        system, text = await asyncio.to_thread(_composed, request, outputs, earlier, previous)
        return Prompt(system=system, text=await self._texts.keep(text))

    async def _read(self, named: tuple[NamedText, ...]) -> list[tuple[str, str]]:
        return [(item.name, await self._texts.read(item.text)) for item in named]


def _composed(
    request: ComposeRequest, outputs: dict[str, str], earlier: list[tuple[str, str]], previous: str
) -> tuple[str, str]:
    from catalogs.prompts import (  # noqa: PLC0415 -- workflows import this module, and need no Jinja2
        retry_prompt,
        row_prompt,
        step_prompt,
        system_prompt,
    )

    row, phase = request.row, request.phase
    text = row_prompt(row, outputs)
    if phase is not None:
        if not 0 <= phase < len(row.workflow):
            raise TemplateFailed(
                f"row {row.id!r} has {len(row.workflow)} steps, so there is no step {phase + 1}", row=row.id
            )
        text = step_prompt(text, row.workflow, phase, earlier)
    return system_prompt(row), retry_prompt(text, request.failures, previous) if request.failures else text
