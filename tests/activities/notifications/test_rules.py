"""What rules say, and what is said of rules that cannot be used."""

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from activities.notifications.contracts import EventKind, Severity, event_kind
from activities.notifications.rules_file import InvalidRules, load_rules, parse_rules
from activities.notifications.schedule import digest_due, parse_retry_after, quiet_until, retry_delay

RULES = """\
channels:
  team: {kind: apprise, url_env: TEAM_URL}
  mail:
    kind: apprise
    url_env: MAIL_URL
    digest: {minutes: 30}
    quiet_hours: {time_zone: Europe/Berlin, from: 22:00, to: 07:00, urgent: error}
  audit: {kind: webhook, url: https://audit.example.com/prism, secret_env: AUDIT_SECRET}
routes:
  - {name: payments, board: "pay*", events: [review, reminder], severity: warning, channels: [team, audit]}
  - {name: failures, severity: error, channels: [audit]}
  - {name: leads, recipients: ["lead-*"], channels: [team]}
people:
  ana: [mail, audit]
"""


@pytest.mark.parametrize(
    ("board", "event", "severity", "recipients", "expected"),
    [
        (
            "payments",
            EventKind.REVIEW,
            Severity.WARNING,
            ["bo"],
            {"team": "routes/payments", "audit": "routes/payments"},
        ),
        ("payments", EventKind.END, Severity.WARNING, ["bo"], {}),
        ("payments", EventKind.REVIEW, Severity.INFO, ["bo"], {}),
        ("search", EventKind.REVIEW, Severity.WARNING, ["bo"], {}),
        ("search", EventKind.END, Severity.ERROR, ["bo"], {"audit": "routes/failures"}),
        ("search", EventKind.END, Severity.INFO, ["lead-x", "bo"], {"team": "routes/leads"}),
        ("search", EventKind.END, Severity.INFO, ["ana"], {"mail": "people/ana", "audit": "people/ana"}),
        ("search", EventKind.END, Severity.ERROR, ["ana"], {"audit": "routes/failures", "mail": "people/ana"}),
        ("payments", None, Severity.WARNING, ["bo"], {}),
    ],
)
def test_a_notification_goes_to_each_channel_that_the_rules_say_once(
    board: str, event: EventKind | None, severity: Severity, recipients: list[str], expected: dict[str, str]
) -> None:
    assert parse_rules(RULES, "rules").targets(board, event, severity, recipients) == expected


@pytest.mark.parametrize(
    ("step", "kind"),
    [("notify", EventKind.END), ("review", EventKind.REVIEW), ("reminder", EventKind.REMINDER), ("x", None)],
)
def test_a_step_says_what_its_notification_tells_of(step: str, kind: EventKind | None) -> None:
    assert event_kind(step) is kind


def test_a_severity_that_nobody_knows_is_not_taken_lightly() -> None:
    assert Severity.of("catastrophe") is Severity.ERROR


def _line(fault: str) -> tuple[int, str]:
    return int(fault.split(":", maxsplit=1)[0].removeprefix("line ")), fault


def test_every_fault_is_told_with_its_line_and_place_and_without_what_was_written() -> None:
    text = """\
channels:
  team: {kind: pigeon, url: "mailto://me:hunter2@example.com", url_env: TEAM_URL}
  mail: {kind: apprise, url_env: "not a name", secret_env: S}
  hook: {kind: webhook, url: https://example.com, extra: hunter2}
  night: {kind: apprise, url_env: N, quiet_hours: {time_zone: Mars/Base, from: 25:00, to: 07:00}}
  still: {kind: apprise, url_env: N, quiet_hours: {time_zone: UTC, from: 7:00, to: 07:00}}
routes:
  - {name: a, events: [party], severity: loud, channels: [nowhere]}
  - {name: b, channels: []}
  - {name: b, name: c, channels: [team]}
people:
  ana: [team, ether]
"""
    with pytest.raises(InvalidRules) as caught:
        parse_rules(text, "rules.yaml")
    told = sorted((": ".join(fault.split(": ")[:2]) for fault in caught.value.details["faults"]), key=_line)
    assert told == [
        "line 2: channels.team",
        "line 2: channels.team.kind",
        "line 3: channels.mail",
        "line 3: channels.mail.url_env",
        "line 4: channels.hook",
        "line 4: channels.hook.extra",
        "line 5: channels.night.quiet_hours.from",
        "line 5: channels.night.quiet_hours.time_zone",
        "line 6: channels.still.quiet_hours.from",
        "line 8: routes.0.channels.0",
        "line 8: routes.0.events.0",
        "line 8: routes.0.severity",
        "line 9: routes.1.channels",
        "line 10: routes.2.name",
        "line 12: people.ana.1",
    ]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: *hunter2", "line 1, column 4: not YAML"),
        ("a: [1", "not YAML"),
        ("- a", "the whole"),
        ("channels: &x [*x]", "an alias stands within what it names"),
        ("chanels: {}", "chanels"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_no_rules_at_all_is_said_to_be_none(text: str, told: str) -> None:
    with pytest.raises(InvalidRules, match=re.escape(told)) as caught:
        parse_rules(text, "rules")
    assert "hunter2" not in str(caught.value)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("")
    assert load_rules(tmp_path / "rules.yaml").targets("b", None, Severity.ERROR, ["ana"]) == {}
    with pytest.raises(InvalidRules, match="No such file"):
        load_rules(tmp_path / "none.yaml")


def test_the_rules_that_the_readme_shows_can_be_used() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    [shown] = re.findall(r"```yaml\n(channels:.*?)```", readme, re.DOTALL)
    assert parse_rules(shown, "README").targets("payments", EventKind.REVIEW, Severity.WARNING, ["ana"]) == {
        "team-chat": "routes/payments",
        "ana-mail": "people/ana",
    }


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-11-23T20:59:59", None),  # 21:59:59 in Berlin
        ("2026-11-23T21:00:00", "2026-11-24T06:00:00"),
        ("2026-11-24T05:59:59", "2026-11-24T06:00:00"),
        ("2026-11-24T06:00:00", None),
        ("2026-03-28T22:00:00", "2026-03-29T05:00:00"),  # the night the clocks are put forward
        ("2026-10-24T21:00:00", "2026-10-25T06:00:00"),  # the night they are put back
    ],
)
def test_quiet_hours_over_midnight(moment: str, until: str | None) -> None:
    found = quiet_until(at(moment), ZoneInfo("Europe/Berlin"), time(22), time(7))
    assert found == (at(until) if until else None)


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-11-23T12:00:00", "2026-11-23T14:00:00"),
        ("2026-11-23T11:59:59", None),
        ("2026-11-23T14:00:00", None),
    ],
)
def test_quiet_hours_within_a_day(moment: str, until: str | None) -> None:
    assert quiet_until(at(moment), ZoneInfo("UTC"), time(12), time(14)) == (at(until) if until else None)


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_in_the_future() -> None:
    # 02:10 for the second time in Berlin; 02:30 was an hour and forty minutes ago, and comes again.
    moment = at("2026-10-25T01:10:00")
    assert quiet_until(moment, ZoneInfo("Europe/Berlin"), time(22), time(2, 30)) == at("2026-10-25T01:30:00")


@pytest.mark.parametrize(
    ("moment", "severity", "due"),
    [
        ("2026-11-23T12:00:00", Severity.INFO, "2026-11-23T12:30:00"),
        ("2026-11-23T12:29:59", Severity.INFO, "2026-11-23T12:30:00"),
        ("2026-11-23T20:45:00", Severity.WARNING, "2026-11-24T06:00:00"),  # its window ends at 22:00 in Berlin
        ("2026-11-23T23:10:00", Severity.ERROR, "2026-11-23T23:30:00"),
    ],
)
def test_a_digest_waits_for_its_window_and_for_the_morning(moment: str, severity: Severity, due: str) -> None:
    assert parse_rules(RULES, "rules").channels["mail"].due(at(moment), severity) == at(due)


def test_windows_of_a_digest_lie_on_one_grid() -> None:
    window = timedelta(minutes=15)
    assert {digest_due(at(f"2026-11-23T12:{minute}:30"), window) for minute in range(15, 30)} == {
        at("2026-11-23T12:30:00")
    }


def test_pauses_double_up_to_an_hour_and_differ_by_chance() -> None:
    longest = [retry_delay(attempt, 0.0).total_seconds() for attempt in range(1, 13)]
    assert longest == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert retry_delay(3, 1.0) == timedelta(seconds=10)
    assert retry_delay(10**6, 0.0) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("9" * 400, 86400),
        ("-5", 0),
        ("soon", 0),
        ("²", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(header: str | None, seconds: int) -> None:
    assert parse_retry_after(header, at("2026-11-23T12:00:00")) == timedelta(seconds=seconds)
