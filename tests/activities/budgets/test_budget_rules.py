"""Budgets as people write them, and the periods they are counted in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.budgets.contracts import InvalidBudgets
from activities.budgets.rules import Budget, BudgetRules, forecast, share_of, shares
from activities.budgets.rules_file import load_budgets

SAMPLE = Path("catalogs/samples/budgets.yaml")


def budget(per: str, board: str = "") -> Budget:
    return Budget.model_validate({"name": f"per-{per}", "limit_usd": "10", "per": per, "board": board})


def test_the_sample_says_500_a_day_and_10_000_a_month() -> None:
    rules = load_budgets(SAMPLE)
    assert [(one.name, one.limit_usd, one.per) for one in rules.budgets[:2]] == [
        ("day", 500, "day"),
        ("month", 10_000, "month"),
    ]


def test_without_a_file_nothing_is_limited() -> None:
    assert load_budgets(None).budgets == ()


def test_every_fault_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(
        "time_zone: Nowhere\n"
        "budgets:\n"
        "  - {name: Day, limit_usd: ten, per: week, warn_at: 180%}\n"
        "  - {name: ok, limit_usd: 0, per: day, limt: 5}\n"
    )
    with pytest.raises(InvalidBudgets) as refused:
        load_budgets(path)
    told = refused.value.message
    for expected in (
        "line 1: time_zone: must be a time zone",
        "line 3: budgets.0.name",
        "line 3: budgets.0.limit_usd: must be an amount in US dollars",
        "line 3: budgets.0.per",
        "line 3: budgets.0.warn_at: must be more than 0% and at most 100%",
        "line 4: budgets.1.limit_usd: must be more than nothing",
        "line 4: budgets.1.limt",
    ):
        assert expected in told


@pytest.mark.parametrize("names", [("day", "day"), ("run", "day")])
def test_names_are_told_apart(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text("budgets:\n" + "".join(f"  - {{name: {name}, limit_usd: 5, per: day}}\n" for name in names))
    with pytest.raises(InvalidBudgets):
        load_budgets(path)


@pytest.mark.parametrize(
    ("zone", "per", "moment", "period", "renews"),
    [
        ("UTC", "day", "2026-11-24T12:00", "2026-11-24", "2026-11-25T00:00"),
        ("Europe/Berlin", "day", "2026-11-24T23:30", "2026-11-25", "2026-11-25T23:00"),
        ("Europe/Berlin", "day", "2026-10-24T22:00", "2026-10-25", "2026-10-25T23:00"),
        ("UTC", "month", "2026-12-31T23:59", "2026-12", "2027-01-01T00:00"),
        ("America/New_York", "month", "2026-03-01T04:30", "2026-02", "2026-03-01T05:00"),
        ("UTC", "run", "2026-11-24T12:00", "run/monday", None),
    ],
)
def test_a_period_ends_at_its_zones_midnight(zone: str, per: str, moment: str, period: str, renews: str | None) -> None:
    share = share_of(
        BudgetRules(time_zone=zone), budget(per), "monday", "", datetime.fromisoformat(moment).replace(tzinfo=UTC)
    )
    assert share.period == period
    assert share.renews_at == (datetime.fromisoformat(renews).replace(tzinfo=UTC) if renews else None)


def test_a_call_counts_against_all_that_name_its_board_or_none() -> None:
    rules = BudgetRules(budgets=(budget("day"), budget("month", "ops"), budget("run", "*")))
    counted = shares(rules, "monday", "legal", 5.0, datetime(2026, 11, 24, tzinfo=UTC))
    assert [(share.budget.name, share.period) for share in counted] == [
        ("per-day", "2026-11-24"),
        ("per-run", "run/monday/board/legal"),
        ("run", "run/monday"),
    ]
    assert counted[-1].budget.limit_usd == 5.0


def test_a_quarter_of_the_day_spends_a_quarter_of_the_forecast() -> None:
    moment = datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert forecast(10.0, share_of(BudgetRules(), budget("day"), "", "", moment), moment) == pytest.approx(40)
    moment = datetime(2026, 11, 16, tzinfo=UTC)
    assert forecast(10.0, share_of(BudgetRules(), budget("month"), "", "", moment), moment) == pytest.approx(20)
    assert forecast(10.0, share_of(BudgetRules(), budget("run"), "r", "", moment), moment) is None
