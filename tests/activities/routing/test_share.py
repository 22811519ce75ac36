"""The share of a run comes to its target, with the rows that suit a local model best. Simulated, as it is pure."""

import random
from dataclasses import dataclass, field

import pytest

from activities.routing.share import Course


@dataclass
class Outcome:
    local: float = 0
    total: float = 0
    stayed: list[float] = field(default_factory=list)
    left: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        return self.local / self.total


def passed(kinds: list[float | None], target: float, failing: float = 0.0) -> Outcome:
    """Pass rows by: a number is how well a row suits, ``None`` one that has to leave; some local drafts fail."""
    chance = random.Random(3)  # noqa: S311 -- repeatable
    outcome, suits, open_chosen = Outcome(), [], 0
    for chosen, kind in enumerate(kinds):
        course = Course(
            target=target,
            local=outcome.local,
            total=outcome.total,
            rows=len(kinds),
            chosen=chosen,
            open_rows=sum(one is not None for one in kinds),
            open_chosen=open_chosen,
            weight=1,
            suits=tuple(suits[-200:]),
        )
        outcome.total += 1
        if kind is None:
            continue
        open_chosen += 1
        stays = course.stays(kind)
        suits.append(kind)
        (outcome.stayed if stays else outcome.left).append(kind)
        outcome.local += stays
        outcome.total += stays and chance.random() < failing
    return outcome


def mixed(rows: int, seed: int = 1, leaving: float = 0.25) -> list[float | None]:
    chance = random.Random(seed)  # noqa: S311 -- repeatable
    return [None if chance.random() < leaving else round(chance.random(), 3) for _ in range(rows)]


@pytest.mark.parametrize("rows", [100, 200, 1000])
@pytest.mark.parametrize("target", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("failing", [0.0, 0.15])
def test_a_mixed_run_reaches_its_target_with_the_rows_that_suit_best(rows: int, target: float, failing: float) -> None:
    outcome = passed(mixed(rows), target, failing)
    assert outcome.share == pytest.approx(target, abs=0.02)
    assert sum(outcome.stayed) / len(outcome.stayed) > sum(outcome.left) / len(outcome.left) + 0.2


@pytest.mark.parametrize("order", ["those that leave first", "those that leave last", "all alike", "best first"])
def test_no_order_of_a_run_keeps_it_from_its_target(order: str) -> None:
    kinds = mixed(200)
    ordered: dict[str, list[float | None]] = {
        "those that leave first": sorted(kinds, key=lambda kind: kind is not None),
        "those that leave last": sorted(kinds, key=lambda kind: kind is None),
        "all alike": [0.5] * 200,
        "best first": sorted(kinds, key=lambda kind: -(kind or 0)),
    }
    assert passed(ordered[order], 0.4).share == pytest.approx(0.4, abs=0.02)


def test_a_target_that_the_rows_cannot_reach_takes_all_that_could_stay() -> None:
    outcome = passed(mixed(200, leaving=0.8), 0.4)
    assert not outcome.left
    assert passed(mixed(200), 1.0).left == []
    assert passed(mixed(200), 0.0).stayed == []


def test_runs_of_one_row_reach_the_target_by_the_day() -> None:
    chance = random.Random(5)  # noqa: S311 -- repeatable
    local, suits = 0, []
    for number in range(300):
        lately = 0.4 - local / number if number else 0.0
        course = Course(0.4, 0, 0, 1, 0, 1, 0, 1, tuple(suits[-200:]), lately)
        suits.append(round(chance.random(), 3))
        local += course.stays(suits[-1])
    assert local / 300 == pytest.approx(0.4, abs=0.03)
