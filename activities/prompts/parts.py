"""The parts that a prompt is made of, read from where they are, and put together to what a model can read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from activities.artifacts.contracts import Texts, digest_of
from activities.prompts.contracts import ComposeRequest, NamedText, TemplateFailed
from catalogs.prompt_version import COMPOSED
from catalogs.window import Dropped, fitted

# English text has about four characters a token, other scripts and code fewer; a prompt that is too long is refused.
CHARACTERS_PER_TOKEN: Final = 2
# What is remembered of a run is for orientation: a whole text is for those who depend on its row.
NOTE_CHARS: Final = 2_000
_SHOWN, _PREVIOUS, _EARLIER, _UPSTREAM = "answer: ", "previous answer", "step ", "output of "
_NOTES, _SOURCES = "note ", "passage "


@dataclass
class PromptParts:
    """What a prompt may hold besides the task.

    Args:
        request: What is asked for.
        texts: By what people call them, the most needed first.
    """

    request: ComposeRequest
    texts: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def read(cls, request: ComposeRequest, texts: Texts) -> Self:
        """Read every part."""
        parts = cls(request)
        turn = request.turn
        if request.previous:
            parts.texts[_PREVIOUS] = await texts.read(request.previous)
        groups: tuple[tuple[str, tuple[NamedText, ...]], ...] = (
            (_SHOWN, turn.shown if turn else ()),
            (_EARLIER, request.earlier),
            (_UPSTREAM, request.upstream),
            (_NOTES, request.notes),
            (_SOURCES, request.sources),
        )
        for kind, named in groups:
            for one in named:
                text = await texts.read(one.text)
                parts.texts[kind + one.name] = text[:NOTE_CHARS] if kind == _NOTES else text
        return parts

    @property
    def system(self) -> str:
        """Who the model is asked to be."""
        from catalogs.prompts import system_prompt  # noqa: PLC0415 -- workflows import this module, and need no Jinja2
        from catalogs.turns import agent_prompt  # noqa: PLC0415 -- likewise

        row, turn = self.request.row, self.request.turn
        return agent_prompt(turn.agent, row.board) if turn else system_prompt(row)

    @property
    def template(self) -> str:
        """Version of the words that the prompt is composed by; of a row's own template, its digest."""
        from catalogs.turns import TURN_TEMPLATE  # noqa: PLC0415 -- likewise

        prompt = self.request.row.prompt
        task = digest_of(prompt.encode()) if prompt else COMPOSED
        return f"{task} {TURN_TEMPLATE}" if self.request.turn else task

    def within(self, window: int | None) -> tuple[str, tuple[Dropped, ...]]:
        """Return the prompt, and what of it was cut to fit.

        Args:
            window: Most tokens that the model reads, its answer among them; ``None`` cuts nothing.

        Raises:
            TemplateFailed: The row's template cannot be rendered, or the row has no such step.
        """
        if window is None:
            return self._composed(self.texts), ()
        room = (window - self.request.answer_tokens) * CHARACTERS_PER_TOKEN - len(self.system.encode())
        return fitted(self.texts, max(room, 0), self._composed)

    def _composed(self, texts: Mapping[str, str]) -> str:
        from catalogs.prompts import (  # noqa: PLC0415 -- workflows import this module, and need no Jinja2
            retry_prompt,
            row_prompt,
            step_prompt,
            with_sources,
        )
        from catalogs.turns import turn_prompt  # noqa: PLC0415 -- likewise

        request, row, phase, turn = self.request, self.request.row, self.request.phase, self.request.turn
        prompt = row_prompt(row, {one.name: texts[_UPSTREAM + one.name] for one in request.upstream})
        if phase is not None:
            if not 0 <= phase < len(row.workflow):
                raise TemplateFailed(
                    f"row {row.id!r} has {len(row.workflow)} steps, so there is no step {phase + 1}", row=row.id
                )
            earlier = [(one.name, texts[_EARLIER + one.name]) for one in request.earlier]
            prompt = step_prompt(prompt, row.workflow, phase, earlier)
        sources = [("Note " + one.name, texts[_NOTES + one.name]) for one in request.notes]
        sources += [("Passage of " + one.name, texts[_SOURCES + one.name]) for one in request.sources]
        prompt = with_sources(prompt, [source for source in sources if source[1]])
        if turn:
            shown = [(one.name, texts[_SHOWN + one.name]) for one in turn.shown]
            prompt = turn_prompt(prompt, turn.kind, turn.agent, [one for one in shown if one[1]], turn.item)
        return retry_prompt(prompt, request.failures, texts.get(_PREVIOUS, "")) if request.failures else prompt
