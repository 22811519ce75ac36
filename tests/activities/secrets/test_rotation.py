"""What the schedule of rotation does to secrets of both stores, as days go by."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from temporalio.testing import ActivityEnvironment

from activities.audit.contracts import AuditFilter
from activities.notifications.contracts import Item, Message, Severity
from activities.notifications.inbox import InboxNotifier
from activities.notifications.signature import verify_webhook
from activities.notifications.webhook import WebhookChannel
from activities.secrets.ages import RotationTerms
from activities.secrets.contracts import InvalidSecret, SecretNotFound, SecretStore
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.keeping import SecretKeeping
from activities.secrets.master_key import MasterKey
from activities.secrets.overlap import StoredSigning
from activities.secrets.rotation import (
    ENCRYPTION_KEYS,
    OwnKeys,
    RotationActivities,
    RotationReport,
    RotationRequest,
)
from activities.secrets.vault import TokenLogin, Vault, VaultAddress
from temporal.key_ring import KeyRing
from temporal.secret_reference import SecretReference
from tests.activities.secrets.bao import Bao
from tests.receiver import receiver
from workers.audit import open_audit
from workers.compose import open_stores
from workers.settings import Settings

QUARTER = timedelta(days=90)
ITEM = Item(
    key="k",
    run="r",
    row="a",
    board="",
    event="end",
    severity=Severity.INFO,
    title="t",
    body="",
    recipients=(),
    at="now",
)
MESSAGE = Message(id="m", channel="audit", attempt=1, items=(ITEM,))
OLD, NEW = SecretStr("sk-canary-old"), SecretStr("sk-canary-new")


class Days:
    """A clock that is so many days ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.ahead)


class House:
    """An installation's secrets and those who look after them."""

    def __init__(self, home: Path, store: SecretStore) -> None:
        self.settings = Settings(home=home)
        self.engine: Engine = open_stores(self.settings).engine
        self.audit = open_audit(self.settings, self.engine)
        self.store = store
        self.clock = Days()
        self.keeping = SecretKeeping(store, self.audit, RotationTerms(), self.clock)

    async def check(self, day: float, keys: OwnKeys | None = None, *, every: timedelta = QUARTER) -> RotationReport:
        self.clock.ahead = day
        keeping = SecretKeeping(self.store, self.audit, RotationTerms(every=every), self.clock)
        activities = RotationActivities(keeping, InboxNotifier(self.engine, clock=self.clock), keys, self.clock)
        report: RotationReport = await ActivityEnvironment().run(activities.rotate_due, RotationRequest())
        return report

    def told(self) -> list[str]:
        with self.engine.connect() as connection:
            found = connection.execute(
                text("SELECT title FROM notifications WHERE recipient = 'role:admin' ORDER BY at")
            )
            return [row.title for row in found]

    async def acts(self) -> list[tuple[str, str]]:
        entries = await self.audit.page(AuditFilter(kinds=("secret",)))
        return [(entry.kind, entry.actor) for entry in reversed(entries)]


@pytest.fixture(params=["file", "server"])
def house(request: pytest.FixtureRequest, tmp_path: Path, bao: Bao) -> House:
    stores: dict[str, Callable[[], SecretStore]] = {
        "file": lambda: EncryptedFile(tmp_path / "s.json", MasterKey(tmp_path / "s.key", keyring=False)),
        "server": lambda: Vault(
            VaultAddress(url=bao.url, login=TokenLogin(token=SecretStr(bao.token)), prefix=uuid.uuid4().hex)
        ),
    }
    return House(tmp_path, stores[request.param]())


async def test_administrators_are_told_before_a_providers_key_is_due_and_when_it_is_once_each(house: House) -> None:
    await house.keeping.put("openai", "value", OLD)
    assert await house.check(75) == RotationReport()
    for day in (76.5, 80, 91, 95):
        assert await house.check(day) == RotationReport(told=("openai",))
    by = house.clock() - timedelta(days=5)
    assert house.told() == [
        f"The secret openai is to be replaced by {by:%Y-%m-%d}",
        f"The secret openai should have been replaced by {by:%Y-%m-%d}",
    ]
    assert (await house.store.get("openai")).version == 1


async def test_what_signs_webhooks_is_replaced_and_the_old_one_counts_for_the_overlap(house: House) -> None:
    await house.keeping.put("webhooks/audit", "value", OLD)
    assert await house.check(80) == RotationReport()
    # Stores tell the real time, so that it is due at once, and the days begin with its second version.
    assert (await house.check(0, every=timedelta(microseconds=1))).rotated == ("webhooks/audit",)
    assert await house.check(6) == RotationReport()
    assert house.told() == ["The secret webhooks/audit was replaced"]
    assert (await house.store.get("webhooks/audit", 1)).fields["value"] == OLD
    assert (await house.check(8)).destroyed == 1
    with pytest.raises(SecretNotFound):
        await house.store.get("webhooks/audit", 1)
    assert len((await house.store.get("webhooks/audit")).fields["value"].get_secret_value()) >= 43
    schedule = "secrets/rotation"
    assert await house.acts() == [
        ("secret.set", "installation"),
        ("secret.rotated", schedule),
        ("secret.destroyed", schedule),
    ]


async def test_a_webhook_is_signed_with_both_during_the_overlap_and_with_the_new_one_after(house: House) -> None:
    await house.keeping.put("webhooks/audit", "value", OLD)
    await house.keeping.rotate("webhooks/audit", value=NEW)
    reference = SecretReference("webhooks/audit")
    async with receiver() as hook:
        for day in (1, 8):
            house.clock.ahead = day
            signing = StoredSigning(reference, house.store, timedelta(days=7), house.clock)
            async with WebhookChannel(SecretStr(hook.url), signing) as channel:
                await channel.send(MESSAGE)
    during, after = hook.requests
    for secret in (OLD, NEW):
        verify_webhook(secret.get_secret_value().encode(), during.headers, during.body)
    assert [one.headers["prism-signature"].count("v1=") for one in (during, after)] == [2, 1]
    verify_webhook(NEW.get_secret_value().encode(), after.headers, after.body)


async def test_a_replacement_keeps_other_fields_and_is_another_value(house: House) -> None:
    await house.keeping.put("db", "user", SecretStr("prism"))
    await house.keeping.put("db", "password", OLD)
    await house.keeping.rotate("db", "password", NEW)
    assert (await house.store.get("db")).fields == {"user": SecretStr("prism"), "password": NEW}
    with pytest.raises(InvalidSecret, match="is the old one"):
        await house.keeping.rotate("db", "password", NEW)
    for name, field in (("db", "gone"), ("gone", "value")):
        with pytest.raises(SecretNotFound):
            await house.keeping.rotate(name, field, NEW)


async def test_ages_tell_versions_and_what_is_due_and_no_value(house: House) -> None:
    await house.keeping.put("openai", "value", OLD)
    await house.keeping.rotate("openai", value=NEW)
    house.clock.ahead = 80
    (age,) = await house.keeping.ages()
    assert (age.version, age.counting, age.age_days, age.state, age.own) == (2, (2,), 80, "due_soon", False)
    house.clock.ahead = 1
    (age,) = await house.keeping.ages()
    assert (age.counting, age.state) == ((2, 1), "fresh")
    assert "canary" not in age.model_dump_json()


async def test_what_was_destroyed_by_hand_is_left_alone(house: House) -> None:
    await house.keeping.put("webhooks/audit", "value", OLD)
    await house.store.destroy("webhooks/audit", 1)
    assert await house.check(100) == RotationReport()


async def test_what_signs_in_a_field_that_is_not_ours_to_know_is_told_of(house: House) -> None:
    await house.keeping.put("webhooks/audit", "key", OLD)
    assert await house.check(100) == RotationReport(told=("webhooks/audit",))


@pytest.mark.parametrize(("ours", "count"), [(True, 2), (False, 1)])
async def test_keys_of_payloads_are_rotated_where_this_installation_alone_has_them(
    tmp_path: Path, *, ours: bool, count: int
) -> None:
    house = House(tmp_path, EncryptedFile(tmp_path / "s.json", MasterKey(tmp_path / "s.key", keyring=False)))
    keys = OwnKeys(path=tmp_path / "encryption.keys", ours=ours)
    KeyRing.open(keys.path)
    assert await house.check(50, keys) == RotationReport()
    report = await house.check(91, keys)
    assert (report.rotated, report.told) == (((ENCRYPTION_KEYS,), ()) if ours else ((), (ENCRYPTION_KEYS,)))
    assert len(KeyRing(keys.path).ids) == count
    assert len(house.told()) == 2 - count
