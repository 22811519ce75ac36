"""People whom an identity provider knows, on SQLite and on a real PostgreSQL: their first login, and their roles."""

import asyncio
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from activities.identity.authentication import Identity
from activities.identity.contracts import Role
from activities.identity.oidc import Person
from workers.identity import open_identity
from workers.settings import Settings

ISSUER = "https://id.example"
ANA = Person(issuer=ISSUER, subject="u-1", name="Ana", roles=("reviewer",))
NAMESAKE = Person(issuer=ISSUER, subject="u-2", name="ana")
ROOT = Person(issuer=ISSUER, subject="u-3", name="root", roles=("admin", "viewer"))


@pytest.fixture
def identity(engine: Engine, tmp_path: Path) -> Identity:
    return open_identity(Settings(home=tmp_path), engine)


def meet(engine: Engine, beginning: str) -> None:
    """Have the first two statements of this beginning wait for each other: both have read before either writes."""
    barrier, calls = threading.Barrier(2, timeout=30), count()

    @event.listens_for(engine, "before_cursor_execute")
    def _wait(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        if statement.startswith(beginning) and next(calls) < barrier.parties:
            barrier.wait()


def kinds(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM audit_entries ORDER BY sequence")))


async def test_two_first_logins_at_once_both_get_in_with_one_account(identity: Identity, engine: Engine) -> None:
    meet(engine, "INSERT INTO external_identities")
    both = await asyncio.gather(*(identity.external.user(ANA, roles_given=True) for _ in range(2)))
    assert [(user.name, user.roles) for user in both] == 2 * [("ana", (Role.REVIEWER,))]
    assert await identity.users.all() == [both[0]]
    assert kinds(engine) == ["user.created"]


async def test_two_of_one_name_at_once_get_an_account_each(identity: Identity, engine: Engine) -> None:
    meet(engine, "INSERT INTO external_identities")
    both = await asyncio.gather(*(identity.external.user(one, roles_given=False) for one in (ANA, NAMESAKE)))
    assert sorted(user.name for user in both) == ["ana", "ana-2"]
    assert len(await identity.users.all()) == 2


async def test_a_first_login_that_fails_leaves_no_account(identity: Identity, engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def _fail(_connection: object, _cursor: object, statement: str, *_rest: Any) -> None:
        if "audit_head" in statement:
            raise ConnectionError(statement)

    with pytest.raises(ConnectionError):
        await identity.external.user(ANA, roles_given=True)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM external_identities")) == 0
    assert await identity.users.all() == []


async def test_the_last_administrator_stays_one_though_the_provider_says_otherwise(
    identity: Identity, engine: Engine
) -> None:
    await identity.external.user(ROOT, roles_given=True)
    user = await identity.external.user(ROOT.model_copy(update={"roles": ("reviewer",)}), roles_given=True)
    assert set(user.roles) == {Role.ADMIN, Role.REVIEWER}
    assert kinds(engine) == ["user.created", "user.changed", "user.admin_kept"]


async def test_an_administrator_who_is_not_the_last_loses_the_role(identity: Identity, engine: Engine) -> None:
    await identity.external.user(ROOT, roles_given=True)
    await identity.users.create("admin", [Role.ADMIN])
    user = await identity.external.user(ROOT.model_copy(update={"roles": ()}), roles_given=True)
    assert user.roles == ()
    assert "user.admin_kept" not in kinds(engine)


async def test_of_two_last_administrators_at_once_one_stays(identity: Identity, engine: Engine) -> None:
    people = [ROOT, ROOT.model_copy(update={"subject": "u-4", "name": "other"})]
    for person in people:
        await identity.external.user(person, roles_given=True)
    # On PostgreSQL the rows are locked before they are looked at, so the two meet before that.
    meet(engine, "UPDATE users" if engine.dialect.name == "sqlite" else "SELECT users.name \nFROM users FOR UPDATE")
    bare = [person.model_copy(update={"roles": ()}) for person in people]
    await asyncio.gather(*(identity.external.user(person, roles_given=True) for person in bare))
    assert sum(Role.ADMIN in user.roles for user in await identity.users.all()) == 1


async def test_who_comes_from_the_provider_is_shown_so(identity: Identity) -> None:
    user = await identity.external.user(ANA, roles_given=True)
    invited = await identity.users.create("eve", [])
    assert (user.via_provider, user.state) == (True, "OIDC")
    assert (invited.via_provider, invited.state) == (False, "invited")
    assert (await identity.users.change("ana", disabled=False, roles=[Role.ADMIN])).via_provider
    assert [one.state for one in await identity.users.all()] == ["OIDC", "invited"]
