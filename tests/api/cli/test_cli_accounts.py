"""Accounts from the command line: login, refresh, users, tokens, sessions; and that nothing secret lies about."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from activities.identity.contracts import Role
from activities.identity.oidc import Person
from api.cli import credentials
from api.cli.credentials import Credentials
from api.cli.main import cli
from tests.api.http.guarding import PASSWORD, Guarded, guarded_api


class Terminal:
    """A person at a terminal of their own."""

    def __init__(self, guarded: Guarded, home: Path) -> None:
        self.url = guarded.served.url
        self.guarded = guarded
        self.file = home / ".config" / "prism" / "credentials.json"

    def prism(self, *arguments: str, stdin: str = "", code: int = 0, **environment: str) -> str:
        result = CliRunner(env={"PRISM_API_URL": self.url, **environment}).invoke(cli, arguments, input=stdin)
        assert result.exit_code == code, result.output
        return result.output

    def login(self, user: str = "admin") -> str:
        return self.prism("login", "--user", user, stdin=f"{PASSWORD}\n")


@pytest.fixture
async def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Terminal]:
    for name in ("PRISM_API_TOKEN", "PRISM_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with guarded_api(tmp_path / "home") as guarded:
        identity = guarded.served.services.identity
        hashed = await identity.passwords.hashed(PASSWORD)
        for role in (Role.ADMIN, Role.VIEWER):
            await identity.users.create(role.value, [role], password=hashed)
        yield Terminal(guarded, tmp_path)


def test_before_a_login_it_says_how_to_log_in(terminal: Terminal) -> None:
    assert "prism login" in terminal.prism("runs", code=1)


def test_a_login_is_kept_for_its_owner_only(terminal: Terminal) -> None:
    told = terminal.login()
    assert "logged in as admin" in told
    assert PASSWORD not in told
    assert stat.S_IMODE(terminal.file.stat().st_mode) == 0o600
    assert PASSWORD not in terminal.file.read_text()
    assert json.loads(terminal.prism("whoami", "--json"))["roles"] == ["admin"]


def test_a_wrong_password_is_refused_and_nothing_is_kept(terminal: Terminal) -> None:
    told = terminal.prism("login", "--user", "admin", stdin="wrong-password\n", code=1)
    assert "user or password is wrong" in told
    assert not terminal.file.exists()


def test_a_logout_ends_the_session_and_forgets_it(terminal: Terminal) -> None:
    terminal.login()
    kept = terminal.file.read_text()
    terminal.prism("logout")
    assert json.loads(terminal.file.read_text()) == {}
    terminal.file.write_text(kept)
    assert "log in" in terminal.prism("whoami", code=1)


def test_an_access_token_that_ended_is_renewed_once_by_any_number_of_commands(terminal: Terminal) -> None:
    terminal.login()
    found = {url: Credentials.model_validate(one) for url, one in json.loads(terminal.file.read_text()).items()}
    old = found[terminal.url].model_copy(update={"expires_at": 0.0})
    terminal.file.write_text(json.dumps({terminal.url: old.model_dump()}))
    with ThreadPoolExecutor(4) as threads:
        tokens = set(threads.map(lambda _: credentials.token_for(terminal.url), range(8)))
    assert len(tokens) == 1
    assert json.loads(terminal.file.read_text())[terminal.url]["refresh_token"] != old.refresh_token
    assert json.loads(terminal.prism("whoami", "--json"))["name"] == "admin"


def test_a_session_that_was_ended_elsewhere_asks_for_a_login(terminal: Terminal) -> None:
    terminal.login()
    found = json.loads(terminal.file.read_text())
    found[terminal.url] |= {"expires_at": 0.0, "refresh_token": "spent"}
    terminal.file.write_text(json.dumps(found))
    assert "your session has ended" in terminal.prism("whoami", code=1)
    assert json.loads(terminal.file.read_text()) == {}


def test_a_user_is_invited_and_lets_themselves_in(terminal: Terminal) -> None:
    terminal.login()
    made = json.loads(
        terminal.prism("users", "create", "ana", "--role", "reviewer", "--board", "ops=submitter", "--json")
    )
    assert made["user"]["roles"] == ["reviewer"]
    terminal.prism("login", "--link", made["link"], stdin="a long password\na long password\n")
    me = json.loads(terminal.prism("whoami", "--json"))
    assert (me["name"], me["boards"]) == ("ana", [{"board": "ops", "role": "submitter"}])
    assert "not allowed to users.manage" in terminal.prism("users", "list", code=1)


def test_users_are_changed_disabled_and_reset(terminal: Terminal) -> None:
    terminal.login()
    changed = json.loads(terminal.prism("users", "change", "viewer", "--role", "operator", "--disable", "--json"))
    assert (changed["roles"], changed["disabled"]) == (["operator"], True)
    assert "disabled" in terminal.prism("users", "list")
    terminal.prism("users", "change", "viewer", "--enable")
    assert "/login?link=" in terminal.prism("users", "reset", "viewer")
    assert "there is no user nobody" in terminal.prism("users", "change", "nobody", "--enable", code=1)
    assert "BOARD=ROLE" in terminal.prism("users", "change", "viewer", "--board", "ops", code=2)


async def test_who_comes_from_the_provider_is_listed_so(terminal: Terminal) -> None:
    person = Person(issuer="https://id.example", subject="u-1", name="ana")
    await terminal.guarded.served.services.identity.external.user(person, roles_given=False)
    await asyncio.to_thread(terminal.login)
    shown = await asyncio.to_thread(terminal.prism, "users", "list")
    assert "OIDC" in next(line for line in shown.splitlines() if "ana" in line)
    listed = json.loads(await asyncio.to_thread(terminal.prism, "users", "list", "--json"))["users"]
    assert {one["name"]: one["via_provider"] for one in listed} == {"admin": False, "ana": True, "viewer": False}


def test_a_token_is_shown_once_and_works_within_its_scopes(terminal: Terminal) -> None:
    terminal.login()
    made = json.loads(terminal.prism("tokens", "create", "ci", "--scope", "runs.read", "--json"))
    assert made["secret"] not in terminal.prism("tokens", "list")
    terminal.prism("logout")
    terminal.prism("runs", PRISM_API_TOKEN=made["secret"])
    refused = terminal.prism("users", "list", code=1, PRISM_API_TOKEN=made["secret"])
    assert "this token is not for users.manage" in refused
    terminal.login()
    terminal.prism("tokens", "revoke", made["token"]["id"])
    terminal.prism("runs", code=1, PRISM_API_TOKEN=made["secret"])


def test_sessions_are_seen_and_ended(terminal: Terminal) -> None:
    terminal.login()
    [one] = json.loads(terminal.prism("sessions", "list", "--json"))["sessions"]
    terminal.prism("sessions", "revoke", one["id"])
    terminal.prism("whoami", code=1)


def test_a_login_link_is_made_on_the_machine_itself(terminal: Terminal, tmp_path: Path) -> None:
    environment = {"PRISM_HOME": str(tmp_path / "other"), "PRISM_AUTH": "on"}
    link = terminal.prism("login-link", **environment).strip()
    assert link.startswith(f"{terminal.url}/login?link=")
    home = {"PRISM_HOME": str(tmp_path / "home"), "PRISM_AUTH": "on"}
    assert "name a USER" in terminal.prism("login-link", code=2, **home)
    named = terminal.prism("login-link", "viewer", **home).strip()
    terminal.prism("login", "--link", named, stdin="a long password\na long password\n")
    assert json.loads(terminal.prism("whoami", "--json"))["name"] == "viewer"


def test_a_service_account_works_by_tokens_that_administrators_make_and_nobody_logs_in_to_it(
    terminal: Terminal,
) -> None:
    terminal.login()
    told = terminal.prism("users", "create", "nightly", "--service", "--role", "viewer")
    assert "login?link=" not in told
    assert "service" in terminal.prism("users", "list")
    scopes = ("--scope", "runs.read", "--scope", "account.read")
    made = json.loads(terminal.prism("tokens", "create", "ci", "--of", "nightly", *scopes, "--json"))
    own = {"PRISM_API_TOKEN": made["secret"]}
    me = json.loads(terminal.prism("whoami", "--json", **own))
    assert (me["name"], me["roles"], me["via"]) == ("nightly", ["viewer"], "token")
    assert me["scopes"] == ["account.read", "runs.read"]
    assert "nobody logs in" in terminal.prism("users", "reset", "nightly", code=1)
    assert "people make and see their own tokens" in terminal.prism("tokens", "list", "--of", "viewer", code=1)
    terminal.prism("tokens", "revoke", made["token"]["id"], "--of", "nightly")
    assert "UNAUTHENTICATED" in terminal.prism("runs", code=1, **own)
