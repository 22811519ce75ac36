"""Texts for pages: read from the artifact store, shown up to a limit."""

from dataclasses import dataclass
from typing import Any, Final

from activities.artifacts.contracts import ArtifactCorrupt, ArtifactNotFound
from activities.records.views import RequestView, RowDetail, StepView
from api.services import Services

SHOWN_BYTES: Final = 64 * 1024
MOST_TEXTS: Final = 40
_REFERENCES: Final = ("prompt", "output", "arguments", "stdout", "stderr")


@dataclass(frozen=True)
class ShownText:
    """A text as far as a page shows it.

    Args:
        name: What it is, such as ``prompt``.
        digest: Its artifact; empty when it has none.
        size: Its whole length in bytes.
        text: What is shown.
        problem: Why it cannot be shown; empty when it can.
    """

    name: str
    digest: str
    size: int
    text: str
    problem: str = ""

    @property
    def cut(self) -> bool:
        """Whether more is there than is shown."""
        return self.size > SHOWN_BYTES


@dataclass(frozen=True)
class Answered:
    """The request of a step that was answered: which of all that were sent for it, by whom, and what it took."""

    number: int
    deployment: str
    model: str
    milliseconds: int
    cost_usd: float


@dataclass(frozen=True)
class ShownStep:
    """A step with the texts it refers to, the facts that remain, and what was sent to providers for it."""

    step: StepView
    texts: tuple[ShownText, ...]
    facts: dict[str, Any]
    failed: tuple[RequestView, ...] = ()

    @property
    def answered(self) -> Answered | None:
        """The request that was answered; ``None`` where none was, or nobody was asked."""
        # A judge's answer stands beside its verdicts.
        told = self.step.detail.get("answer", self.step.detail)
        if not isinstance(told, dict) or "latency_ms" not in told or told.get("cached_from"):
            return None
        return Answered(
            number=told.get("attempt", 1),
            deployment=told.get("deployment", ""),
            model=told.get("model", ""),
            milliseconds=told["latency_ms"],
            cost_usd=told.get("cost_usd", 0.0),
        )


async def output_of(services: Services, row: RowDetail) -> ShownText | None:
    """Return a row's output, or ``None`` while it has none."""
    if row.shown_output is not None:
        return _shown("output", row.output_digest or "", row.shown_output.encode())
    return await read(services, "output", row.output_digest) if row.output_digest else None


async def shown_steps(services: Services, row: RowDetail) -> dict[int, list[ShownStep]]:
    """Return a row's steps by execution, the newest execution first.

    Texts are read once each and for the first ``MOST_TEXTS`` references only: a page is bounded whatever a row did.
    """
    known: dict[str, ShownText] = {}
    executions: dict[int, list[ShownStep]] = {}
    for step in sorted(row.steps, key=lambda one: -one.attempt):
        texts: list[ShownText] = []
        for name, digest in _referenced(step):
            if digest not in known and len(known) < MOST_TEXTS:
                known[digest] = await read(services, name, digest)
            if digest in known:
                texts.append(known[digest])
        facts = {
            name: value for name, value in step.detail.items() if name not in _REFERENCES and value not in ("", [])
        }
        shown = ShownStep(step=step, texts=tuple(texts), facts=facts, failed=_failed(row, step))
        executions.setdefault(step.attempt, []).append(shown)
    return executions


def _failed(row: RowDetail, step: StepView) -> tuple[RequestView, ...]:
    """Return the requests that failed for a step in any execution of the row: they are one call, under one key."""
    return tuple(one for one in row.failed_requests if (one.step, one.ordinal) == (step.step, step.ordinal))


async def read(services: Services, name: str, digest: str) -> ShownText:
    """Return an artifact as text; one that is gone or altered says so in its place."""
    try:
        return _shown(name, digest, await services.stores.artifacts.get(digest))
    except (ArtifactNotFound, ArtifactCorrupt) as error:
        return ShownText(name=name, digest=digest, size=0, text="", problem=error.message)


def _shown(name: str, digest: str, data: bytes) -> ShownText:
    text = data[:SHOWN_BYTES].decode(errors="ignore" if len(data) > SHOWN_BYTES else "replace")
    return ShownText(name=name, digest=digest, size=len(data), text=text)


def _referenced(step: StepView) -> list[tuple[str, str]]:
    found = [(name, step.detail.get(name)) for name in _REFERENCES]
    return [
        (name, reference["digest"])
        for name, reference in found
        if isinstance(reference, dict) and isinstance(reference.get("digest"), str) and reference.get("size") != 0
    ]
