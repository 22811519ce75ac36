"""A run of three rows on two boards, and a clock that stands where a test puts it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from temporal.contract import StepRef

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Clock:
    """Tells the time that it was given."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(engine: Engine) -> Engine:
    """The records database with a run in it."""
    with engine.begin() as connection:
        for run, budget in (("monday", None), ("capped", 1_000_000)):
            connection.execute(
                text(
                    "INSERT INTO runs (run, title, plan, submitter, state, sequence, total, budget, created_at)"
                    " VALUES (:run, 't', 'p', 'ana', 'running', 0, 3, :budget, '2026')"
                ),
                {"run": run, "budget": budget},
            )
            for position, (row, board) in enumerate((("a", "ops"), ("b", "ops"), ("c", "legal"))):
                connection.execute(
                    text(
                        "INSERT INTO rows (run, row, position, board, task, title, objective, risk, upstream, state,"
                        " attempt, generation, code, message, model, prompt_tokens, completion_tokens, cost_usd,"
                        " verdicts, findings) VALUES (:run, :row, :position, :board, '', '', '', '', '[]', 'running',"
                        " 1, 0, '', '', '', 0, 0, 0, '[]', '[]')"
                    ),
                    {"run": run, "row": row, "position": position, "board": board},
                )
    return engine


def step(row: str = "a", ordinal: int = 0, run: str = "monday") -> StepRef:
    return StepRef(run=run, row=row, step="model", ordinal=ordinal)
