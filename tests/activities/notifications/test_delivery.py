"""What becomes of messages at receivers that misbehave: real sockets, a clock that stands where it is put."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from temporalio.testing import ActivityEnvironment

from activities.notifications.contracts import DueReport, DueRequest, Message, Notification, Receipt
from activities.notifications.delivery import MAX_ATTEMPTS, DeliveryActivities
from activities.notifications.inbox import InboxNotifier
from activities.notifications.outbox import SqlOutbox
from activities.notifications.rules import Rules
from activities.notifications.rules_file import InvalidRules, parse_rules
from activities.notifications.signature import verify_webhook
from activities.notifications.webhook import WebhookChannel
from activities.records.database import migrate, open_database
from temporal.contract import StepRef
from tests.clock import Clock
from tests.receiver import Answer, Receiver, receiver
from workers.notifications import ChannelSecrets, open_channels
from workers.secrets import open_secrets
from workers.settings import Settings

SECRET = "correct horse"  # noqa: S105 -- shared with the receiver below
RULES = parse_rules(
    """\
channels:
  hook: {kind: webhook, url: https://example.com, secret_env: S}
  night:
    kind: webhook
    url: https://example.com
    secret_env: S
    quiet_hours: {time_zone: UTC, from: 22:00, to: 07:00}
routes:
  - {name: ends, events: [end], channels: [hook]}
  - {name: reviews, events: [review], channels: [night]}
""",
    "rules",
)


class Post:
    """An outbox, its inbox, and one receiver behind all channels."""

    def __init__(self, engine: Engine, channel: WebhookChannel, clock: Clock, rules: Rules = RULES) -> None:
        self.engine = engine
        self.clock = clock
        self.inbox = InboxNotifier(engine, rules, clock)
        self.activities = DeliveryActivities(
            SqlOutbox(engine), rules, {"hook": channel, "night": channel}, clock, chance=lambda: 0.0
        )

    async def notify(self, row: str = "a", step: str = "notify", severity: str = "info") -> None:
        ref = StepRef(run="r", row=row, step=step)
        await self.inbox.deliver(Notification(step=ref, title=f"{row} ended", body="ünïcode", severity=severity))

    async def round(self) -> DueReport:
        report = await ActivityEnvironment().run(self.activities.deliver_due, DueRequest())
        assert isinstance(report, DueReport)
        return report

    async def until_settled(self) -> list[float]:
        """Deliver, moving the clock to what is due next, until nothing waits; return the pauses."""
        pauses = []
        while (wait := (await self.round()).wait_seconds) is not None:
            pauses.append(wait)
            self.clock.forward(seconds=wait)
        return pauses

    def rows(self) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            found = connection.execute(text("SELECT * FROM deliveries ORDER BY key"))
            return [dict(row) for row in found.mappings()]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    migrate(engine)
    return engine


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


@pytest.fixture
async def post(engine: Engine, hook: Receiver) -> AsyncIterator[Post]:
    clock = Clock()
    async with WebhookChannel(SecretStr(hook.url), SecretStr(SECRET), timeout=2.0, clock=clock) as channel:
        yield Post(engine, channel, clock)


OK: Answer = (200, {})


@pytest.mark.parametrize(
    ("script", "requests", "state", "error", "pauses"),
    [
        ([OK], 1, "delivered", "", []),
        ([(500, {}), (503, {}), OK], 3, "delivered", "", [5, 10]),
        ([(429, {"Retry-After": "90"}), OK], 2, "delivered", "", [90]),
        ([(503, {"Retry-After": "1"}), OK], 2, "delivered", "", [5]),
        ([(503, {"Retry-After": "Mon, 23 Nov 2026 12:02:00 GMT"}), OK], 2, "delivered", "", [120]),
        ([(408, {}), (425, {}), OK], 3, "delivered", "", [5, 10]),
        (["hang", OK], 2, "delivered", "", [5]),
        (["cut", OK], 2, "delivered", "", [5]),
        (["garbage", OK], 2, "delivered", "", [5]),
        ([(302, {"Location": "http://127.0.0.1:1/stolen"})], 1, "failed", "HTTP 302: the receiver moved", []),
        ([(400, {})], 1, "failed", "HTTP 400", []),
        ([(401, {"Retry-After": "5"})], 1, "failed", "HTTP 401", []),
        ([(410, {})], 1, "failed", "HTTP 410", []),
        ([(500, {})] * 20, MAX_ATTEMPTS, "failed", "HTTP 500", [5 * 2**number for number in range(9)]),
    ],
)
async def test_a_receiver_that_misbehaves(
    post: Post, hook: Receiver, script: list[Answer], requests: int, state: str, error: str, pauses: list[float]
) -> None:
    hook.script = list(script)
    await post.notify()
    assert await post.until_settled() == pytest.approx(pauses, abs=0.01)
    [row] = post.rows()
    assert (len(hook.requests), row["state"], row["attempts"]) == (requests, state, requests)
    assert row["last_error"].startswith(error)
    assert bool(row["last_error"]) is bool(error)
    assert len({received.key for received in hook.requests}) == 1
    assert len({received.body for received in hook.requests}) == 1


async def test_a_receiver_that_is_not_there_is_tried_again(engine: Engine) -> None:
    async with receiver() as gone:
        url = gone.url
    async with WebhookChannel(SecretStr(url), SecretStr(SECRET)) as channel:
        post = Post(engine, channel, Clock())
        await post.notify()
        assert (await post.round()).retried == 1
    assert [(row["state"], row["last_error"]) for row in post.rows()] == [("queued", "no answer: ConnectError")]


async def test_a_webhook_says_what_happened_and_proves_who_says_it(post: Post, hook: Receiver) -> None:
    await post.notify()
    await post.until_settled()
    [received] = hook.requests
    verify_webhook(SECRET.encode(), received.headers, received.body, now=post.clock())
    assert received.headers["content-type"] == "application/json"
    assert received.document["title"] == "a ended"
    assert received.document["notifications"] == [
        {
            "key": "catalog/r/row/a/notify/0",
            "run": "r",
            "row": "a",
            "board": "",
            "event": "end",
            "severity": "info",
            "title": "a ended",
            "body": "ünïcode",
            "recipients": ["submitter"],
            "at": "2026-11-23T12:00:00.000000Z",
            "link": "",
        }
    ]


async def test_a_worker_that_dies_after_sending_repeats_the_same_key_and_nothing_is_lost(
    engine: Engine, post: Post, hook: Receiver
) -> None:
    for number in range(40):
        await post.notify(f"row-{number:02}")
    hook.script = [OK] * 5 + ["hang"] * 35
    dying = asyncio.ensure_future(post.round())
    while len(hook.requests) < 16:
        await asyncio.sleep(0.005)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying

    hook.script = []
    async with WebhookChannel(SecretStr(hook.url), SecretStr(SECRET), clock=post.clock) as channel:
        successor = Post(engine, channel, post.clock)
        await successor.until_settled()
    assert {row["state"] for row in post.rows()} == {"delivered"}
    assert set(hook.effects.values()) == {1}
    assert len(hook.effects) == 40


async def test_what_comes_back_from_an_outage_in_the_night_waits_for_the_morning(post: Post, hook: Receiver) -> None:
    post.clock.moment = post.clock.moment.replace(hour=21, minute=59)
    await post.notify("calm", "review", "warning")
    await post.notify("grave", "review", "error")
    post.clock.forward(hours=3)
    report = await post.round()
    assert (report.delivered, report.retried) == (1, 1)
    assert list(hook.effects) == ["catalog/r/row/grave/review/0"]
    assert report.wait_seconds == pytest.approx(timedelta(hours=6, minutes=1).total_seconds(), abs=0.01)
    await post.until_settled()
    assert set(hook.effects.values()) == {1}
    assert len(hook.effects) == 2
    assert {row["attempts"] for row in post.rows()} == {1}


async def test_a_message_whose_attempts_never_end_is_given_up(post: Post, hook: Receiver) -> None:
    await post.notify()
    for _ in range(MAX_ATTEMPTS):
        assert len(await SqlOutbox(post.engine).take(post.clock(), 1)) == 1
        post.clock.forward(seconds=31)
    assert (await post.round()).failed == 1
    assert [(row["state"], row["last_error"]) for row in post.rows()] == [("failed", "no attempt came to an end")]
    assert hook.requests == []


async def test_a_fault_with_one_message_does_not_cut_off_the_others(engine: Engine, post: Post, hook: Receiver) -> None:
    class Faulty:
        async def send(self, _message: Message) -> Receipt:
            raise ZeroDivisionError

    async with WebhookChannel(SecretStr(hook.url), SecretStr(SECRET), clock=post.clock) as channel:
        activities = DeliveryActivities(SqlOutbox(engine), RULES, {"night": Faulty(), "hook": channel}, post.clock)
        await post.notify("a", "review")
        await post.notify("b")
        with pytest.raises(ZeroDivisionError):
            await ActivityEnvironment().run(activities.deliver_due, DueRequest())
    assert [row["state"] for row in post.rows()] == ["queued", "delivered"]


async def test_a_channel_that_the_rules_lost_is_waited_for(engine: Engine, post: Post, hook: Receiver) -> None:
    await post.notify()
    orphan = DeliveryActivities(SqlOutbox(engine), Rules(), {}, post.clock, chance=lambda: 0.0)
    assert (await ActivityEnvironment().run(orphan.deliver_due, DueRequest())).retried == 1
    post.clock.forward(seconds=5)
    await post.until_settled()
    assert [row["state"] for row in post.rows()] == ["delivered"]


async def test_no_secret_reaches_the_database_or_the_log(
    post: Post, hook: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        # What basicConfig of a process that logs everything leaves them at, after the channel was opened.
        assert logging.getLogger(name).level == logging.WARNING
    hook.script = [(500, {}), "cut", "garbage", (302, {"Location": "/x?token=hunter2"})]
    await post.notify()
    await post.until_settled()
    for secret in ("hunter2", SECRET, str(hook.port)):
        assert secret not in str(post.rows())
        assert secret not in "\n".join(record.getMessage() for record in caplog.records if record.name != "asyncio")


@pytest.mark.parametrize(
    ("channel", "environment", "told"),
    [
        ("{kind: webhook, url_env: U, secret_env: S}", {}, "the environment variable U and S is not set"),
        ("{kind: webhook, url_env: U, secret_env: S}", {"U": "https://x", "S": ""}, "variable S is not set"),
        (
            "{kind: webhook, url_env: U, secret_env: S}",
            {"U": "http://hunter2.example", "S": "s"},
            "url_env: must begin",
        ),
        ("{kind: webhook, url_env: U, secret_env: S}", {"U": "https://hunter2:port", "S": "s"}, "url_env: is no URL"),
        ("{kind: webhook, url: 'ftp://hunter2', secret_env: S}", {"S": "s"}, "url: must begin"),
        ("{kind: apprise, url_env: U}", {"U": "nosuch://hunter2"}, "url_env: is no URL that apprise understands"),
        ("{kind: apprise, url_env: U}", {"U": "hunter2"}, "url_env: is no URL that apprise understands"),
        ("{kind: apprise, url_env: U}", {"U": "secret://gone"}, "one: U refers to the secret 'gone', which is not"),
        (
            "{kind: webhook, url: 'https://h', secret_env: S}",
            {"S": "secret://Hunter2?hunter2"},
            "one: S is not secret://name",
        ),
        ("{kind: webhook, url: 'https://h', secret_env: S}", {"S": "secret://gone"}, "one: the secret 'gone' with fie"),
    ],
)
async def test_channels_that_cannot_be_opened_are_told_without_their_secrets(
    channel: str, environment: dict[str, str], told: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    secrets = open_secrets(Settings(home=tmp_path))
    caplog.set_level(logging.DEBUG)
    rules = parse_rules(f"channels:\n  one: {channel}\n  two: {{kind: apprise, url_env: NOT_THERE}}\n", "rules")
    async with AsyncExitStack() as stack:
        with pytest.raises(InvalidRules) as caught:
            await open_channels(rules, environment, "rules", stack, ChannelSecrets(secrets, timedelta(days=7)))
    assert told in str(caught.value)
    assert "two: the environment variable NOT_THERE is not set" in str(caught.value)
    assert "hunter2" not in str(caught.value) + caplog.text
