"""Mail by apprise, to a real SMTP server."""

import email
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message as Mail
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from activities.notifications.apprise import AppriseChannel
from activities.notifications.contracts import DeliveryState, Item, Message, Severity
from tests.conftest import free_port


class Mailbox:
    """What a mail server's handler took, or how it refuses."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answer = "250 OK"
        self.delay = 0.0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        time.sleep(self.delay)  # noqa: ASYNC251 -- the server runs in a thread of its own and is to hang
        if self.answer.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return self.answer


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller.port
    controller.stop()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def channel(port: int, threads: ThreadPoolExecutor, timeout: float = 10.0) -> AppriseChannel:
    url = f"mailto://127.0.0.1:{port}?from=prism@example.com&to=ana@example.com&mode=insecure"
    return AppriseChannel(SecretStr(url), threads, timeout)


def item(title: str, body: str) -> Item:
    return Item(
        key=title,
        run="r",
        row="a",
        board="",
        event="end",
        severity=Severity.WARNING,
        title=title,
        body=body,
        recipients=("ana",),
        at="2026-11-23T12:00:00.000000Z",
    )


def message(*items: Item) -> Message:
    return Message(id="m", channel="mail", attempt=1, items=items)


async def test_a_notification_arrives_as_a_mail(mailbox: Mailbox, port: int, threads: ThreadPoolExecutor) -> None:
    sent = await channel(port, threads).send(message(item("Review wanted: Café \\n", "One\n<b>Two</b> & three")))
    assert sent.state is DeliveryState.DELIVERED
    [mail] = mailbox.mails
    assert mail["To"] == "ana@example.com"
    assert mail["Subject"] == "Review wanted: Café \\n"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().split() == ["One", "<b>Two</b>", "&", "three"]  # type: ignore[attr-defined]


async def test_a_digest_is_one_mail_and_an_empty_body_is_none(
    mailbox: Mailbox, port: int, threads: ThreadPoolExecutor
) -> None:
    assert (await channel(port, threads).send(message(item("First", "one"), item("Second", "")))).state == "delivered"
    assert (await channel(port, threads).send(message(item("Alone", "")))).state == "delivered"
    assert [mail["Subject"] for mail in mailbox.mails] == ["2 notifications", "Alone"]
    assert mailbox.mails[0].get_content().split() == ["First", "one", "Second"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", ["451 later", "550 no hunter2 here"])
async def test_a_server_that_refuses_is_asked_again_and_not_quoted(
    mailbox: Mailbox, port: int, threads: ThreadPoolExecutor, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox.answer = answer
    found = await channel(port, threads).send(message(item("Title", "body")))
    assert (found.state, found.error) == (DeliveryState.QUEUED, "the service did not take it")
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "mail.log")
    assert "hunter2" not in ours
    assert "ana@example.com" not in ours


async def test_a_server_that_hangs_is_given_up_in_time(
    mailbox: Mailbox, port: int, threads: ThreadPoolExecutor
) -> None:
    mailbox.delay = 4.0
    began = time.monotonic()
    found = await channel(port, threads, timeout=0.3).send(message(item("Title", "body")))
    assert found.state is DeliveryState.QUEUED
    assert time.monotonic() - began < 3.5


async def test_a_server_that_is_not_there_is_tried_again(threads: ThreadPoolExecutor) -> None:
    found = await channel(free_port(), threads).send(message(item("Title", "body")))
    assert found.state is DeliveryState.QUEUED
