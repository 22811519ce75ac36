"""Approval rules: which rows a person must approve, who that is, and when. Pure; ``rules_file`` reads the YAML."""

from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from activities.reviews.calendar import WEEKDAYS, BusinessHours
from activities.reviews.contracts import DEFAULT_ROUNDS
from activities.yaml_fields import Clock, Zone
from catalogs import cells
from catalogs.row import ROLE_PREFIX, CatalogRow, OnDeadline, Risk

_RISKS = list(Risk)


def _duration(value: object) -> int:
    try:
        return cells.duration(str(value))
    except cells.BadCell as fault:
        raise ValueError(f"must be {fault.expected}") from None


def _approvals(value: object) -> object:
    if value in {"any", "all"} or (isinstance(value, str) and value.isdecimal() and int(value) > 0):
        return value if value in {"any", "all"} else int(str(value))
    raise ValueError("must be any, all or a number from 1")


Duration = Annotated[int, BeforeValidator(_duration)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Approvals = Annotated[Literal["any", "all"] | PositiveInt, BeforeValidator(_approvals)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Reviewers = Annotated[tuple[Name, ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Hours(_Part):
    """Working hours; deadlines count nothing else, and a day of a deadline is a working day.

    Args:
        begins: Local time at which work begins (``from``).
        ends: Local time at which it ends (``to``).
    """

    time_zone: Zone = "UTC"
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS[:5]
    begins: Clock = Field(alias="from")
    ends: Clock = Field(alias="to")
    holidays: tuple[date, ...] = ()

    @model_validator(mode="after")
    def _lasts(self) -> "Hours":
        if self.begins >= self.ends:
            raise ValueError("to must be later than from, on the same day")
        return self

    @property
    def day(self) -> timedelta:
        """How long a working day is."""
        midnight = datetime.min  # noqa: DTZ901 -- only the difference of two clock times counts
        return datetime.combine(midnight, self.ends) - datetime.combine(midnight, self.begins)

    @property
    def calendar(self) -> BusinessHours:
        """What counts time by these hours."""
        zone = ZoneInfo(self.time_zone)
        return BusinessHours(zone, frozenset(self.days), self.begins, self.ends, frozenset(self.holidays))


class Escalation(_Part):
    """Who may decide too when nobody has for this long."""

    to: Reviewers
    after: Duration


class ApprovalRule(_Part):
    """Has people approve the rows that match all of its conditions.

    Args:
        board: Glob of the row's board.
        agent: Glob of its agent; a row without one has its board's name.
        intent: Glob of its label ``intent``, or else of its task.
        risk: The least risk.
        reviewers: Persons and ``role:<name>``.
        approvals: ``any`` one of them, ``all`` of them, or how many persons.
        rejections: Likewise, who it takes to reject.
        four_eyes: Whether the submitter is kept from deciding, also where the policy does not ask for it.
        remind: How long before the deadline reviewers are reminded.
    """

    name: Name
    board: str = "*"
    agent: str = "*"
    intent: str = "*"
    risk: Risk = Risk.LOW
    reviewers: Reviewers
    approvals: Approvals = "any"
    rejections: Approvals = "any"
    rounds: PositiveInt = DEFAULT_ROUNDS
    four_eyes: bool = False
    deadline: Duration | None = None
    remind: Duration | None = None
    escalate: Escalation | None = None
    on_deadline: OnDeadline | None = None

    def matches(self, row: CatalogRow) -> bool:
        """Return whether a row falls under this rule."""
        return (
            fnmatchcase(row.board, self.board)
            and fnmatchcase(row.agent or row.board, self.agent)
            and fnmatchcase(row.labels.get("intent") or row.task, self.intent)
            and _RISKS.index(row.risk) >= _RISKS.index(self.risk)
        )

    @property
    def reason(self) -> str:
        """Why a row is reviewed."""
        who = [reviewer.removeprefix(ROLE_PREFIX) for reviewer in self.reviewers]
        if self.approvals == "all":
            asked = " and ".join(who)
        elif self.approvals in {"any", 1}:
            asked = " or ".join(who)
        else:
            asked = f"{self.approvals} of {', '.join(who)}"
        return f"rule {self.name!r} asks for the approval of {asked}"


class ApprovalRules(_Part):
    """The whole file.

    Args:
        roles: Persons of each role.
        hours: Working hours; none means that every hour counts.
        rules: The first that matches a row holds.
    """

    roles: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    hours: Hours | None = None
    rules: tuple[ApprovalRule, ...] = ()

    def rule_for(self, row: CatalogRow) -> ApprovalRule | None:
        """Return the rule that a row falls under."""
        return next((rule for rule in self.rules if rule.matches(row)), None)

    def members(self, reviewers: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the persons of each role among the reviewers."""
        named = {
            one: self.roles.get(one.removeprefix(ROLE_PREFIX), ()) for one in reviewers if one.startswith(ROLE_PREFIX)
        }
        return {one: people for one, people in named.items() if people}

    def roles_of(self, person: str) -> tuple[str, ...]:
        """Return the roles of a person."""
        return tuple(role for role, people in self.roles.items() if person in people)


def contradictions(value: Any) -> list[tuple[tuple[str | int, ...], str]]:  # noqa: ANN401 -- any YAML value
    """Return what no field says alone: reviewers of roles that nobody has, more approvals than there are people."""
    document = value if isinstance(value, dict) else {}
    roles = document.get("roles")
    known = roles if isinstance(roles, dict) else {}
    rules = document.get("rules")
    found: list[tuple[tuple[str | int, ...], str]] = []
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, dict):
            continue
        escalate = rule.get("escalate")
        named = {
            "reviewers": rule.get("reviewers"),
            "escalate": escalate.get("to") if isinstance(escalate, dict) else (),
        }
        for field, reviewers in named.items():
            for reviewer in reviewers if isinstance(reviewers, list) else ():
                role = str(reviewer).removeprefix(ROLE_PREFIX)
                if str(reviewer).startswith(ROLE_PREFIX) and role not in known and role not in _SYSTEM_ROLES:
                    found.append((("rules", number, field), f"there is no role {role!r} under roles"))
        if isinstance(escalate, dict) and "deadline" not in rule and "after" not in escalate:
            found.append((("rules", number, "escalate"), "needs after"))
    return found


# Roles of accounts; who has them is known when they log in.
_SYSTEM_ROLES = frozenset({"viewer", "submitter", "reviewer", "operator", "admin"})
