"""Commands about who one is: login, logout, whoami, users, tokens, sessions."""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import click
from rich.table import Table
from rich.text import Text

from activities.identity.contracts import BoardGrant, Role, User
from api.account_models import UserInvited
from api.cli import credentials, text
from api.cli.session import Session, with_session
from api.cli.tables import facts, table

ROLES = click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="On every board; repeatable.",
)
BOARDS = click.option("--board", "boards", multiple=True, metavar="BOARD=ROLE", help="On one board; repeatable.")
OF = click.option("--of", default="", metavar="NAME", help="Of this service account, instead of your own.")


@click.command()
@click.option("--user", help="Your name here.")
@click.option("--link", help="A one-time link; you choose a password.")
@with_session
def login(session: Session, user: str | None, link: str | None) -> None:
    """Log in at Prism's API.

    The tokens are kept in your own configuration folder and renewed by themselves.
    """
    if link:
        password = click.prompt("New password, 12 characters at least", hide_input=True, confirmation_prompt=True)
        body = {"link": parse_qs(urlsplit(link).query).get("link", [link])[0], "password": password}
        kept = credentials.login(session.url, "redeem", body)
    else:
        name = user or click.prompt("User")
        body = {"user": name, "password": click.prompt("Password", hide_input=True)}
        kept = credentials.login(session.url, "login", body)
    session.show({"user": kept.user, "url": session.url}, _done(f"logged in as {kept.user} at {session.url}"))


@click.command()
@with_session
def logout(session: Session) -> None:
    """End your session.

    At this terminal only; prism sessions shows the others.
    """
    with session.client() as client:
        accepted = client.logout()
    credentials.forget(session.url)
    session.show(accepted, _done("logged out"))


@click.command()
@with_session
def whoami(session: Session) -> None:
    """Show who you are and what you may do."""
    with session.client() as client:
        me = client.me()
    rows = [("name", me.name), ("known by", me.via.value), ("roles", ", ".join(me.roles) or "none")]
    if me.boards:
        rows.append(("boards", ", ".join(f"{grant.board}: {grant.role}" for grant in me.boards)))
    if me.scopes is not None:
        rows.append(("scopes", ", ".join(me.scopes)))
    session.show(me, facts([*rows, ("at", session.url)]))


@click.group()
def users() -> None:
    """List and change users."""


@users.command("list")
@with_session
def list_users(session: Session) -> None:
    """List users with their roles."""
    with session.client() as client:
        found = client.users()
    session.show(found, _users(found.users))


@users.command("create")
@click.argument("name")
@ROLES
@BOARDS
@click.option("--service", is_flag=True, help="An account of a program: nobody logs in, tokens are made for it.")
@with_session
def create_user(session: Session, name: str, roles: Sequence[str], boards: Sequence[str], *, service: bool) -> None:
    """Create a user.

    The link that is shown lets them in once, to choose a password.
    """
    with session.client() as client:
        made = client.create_user(name, roles, _grants(boards), service=service)
    if service:
        hint = f"prism tokens create TITLE --of {name} --scope runs.submit"
        session.show(made, _done(f"service account {name} is created"), Text(hint, style="dim"))
    else:
        session.show(made, _invited(made, f"user {name} is created"))


@users.command("change")
@click.argument("name")
@ROLES
@BOARDS
@click.option("--no-roles", is_flag=True, help="Take all roles away.")
@click.option("--no-boards", is_flag=True, help="Take all grants away.")
@click.option("--disable/--enable", "disabled", default=None, help="Lock the user out, or let them in again.")
@with_session
def change_user(
    session: Session,
    name: str,
    roles: Sequence[str],
    boards: Sequence[str],
    *,
    no_roles: bool,
    no_boards: bool,
    disabled: bool | None,
) -> None:
    """Change what a user may do.

    What is not named stays.
    """
    with session.client() as client:
        changed = client.change_user(
            name,
            roles=list(roles) if roles or no_roles else None,
            boards=_grants(boards) if boards or no_boards else None,
            disabled=disabled,
        )
    session.show(changed, _users([changed]))


@users.command("reset")
@click.argument("name")
@with_session
def reset_user(session: Session, name: str) -> None:
    """Make a link by which a user chooses a new password.

    The old password and all sessions end.
    """
    with session.client() as client:
        made = client.reset_user(name)
    session.show(made, _invited(made, f"the password of {name} counts no more"))


@click.group()
def tokens() -> None:
    """Make and revoke API tokens."""


@tokens.command("list")
@OF
@with_session
def list_tokens(session: Session, of: str) -> None:
    """List your API tokens."""
    with session.client() as client:
        found = client.tokens(of)
    shown = table("id", "title", "scopes", "made", "ends", "last used")
    for one in found.tokens:
        times = (text.moment(one.created_at), text.moment(one.expires_at), text.moment(one.used_at))
        shown.add_row(one.id, Text(text.snippet(one.title, 40)), ", ".join(one.scopes), *times)
    session.show(found, shown)


@tokens.command("create")
@click.argument("title")
@click.option("--scope", "scopes", multiple=True, required=True, help="An action such as runs.submit; repeatable.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 366), help="How long it is good.")
@OF
@with_session
def create_token(session: Session, title: str, scopes: Sequence[str], days: int, of: str) -> None:
    """Make an API token for a program.

    It acts in your name, within its scopes. Its secret is shown now and never again.
    """
    with session.client() as client:
        made = client.create_token(title, scopes, days, of=of)
    secret = Text.assemble("PRISM_API_TOKEN=", (made.secret, "bold"))
    session.show(made, _done(f"token {made.token.id} is good until {text.moment(made.token.expires_at)}"), secret)


@tokens.command("revoke")
@click.argument("token")
@OF
@with_session
def revoke_token(session: Session, token: str, of: str) -> None:
    """Revoke an API token."""
    with session.client() as client:
        session.show(client.revoke_token(token, of=of), _done(f"token {token} is revoked"))


@click.group()
def sessions() -> None:
    """See and end your sessions."""


@sessions.command("list")
@with_session
def list_sessions(session: Session) -> None:
    """List where you are logged in."""
    with session.client() as client:
        found = client.sessions()
    shown = table("id", "by", "address", "program", "since", "last used")
    for one in found.sessions:
        times = (text.moment(one.created_at), text.moment(one.used_at))
        shown.add_row(one.id, one.via.value, one.address, Text(text.snippet(one.agent, 40)), *times)
    session.show(found, shown)


@sessions.command("revoke")
@click.argument("session_id", metavar="SESSION")
@with_session
def revoke_session(session: Session, session_id: str) -> None:
    """End one of your sessions."""
    with session.client() as client:
        session.show(client.revoke_session(session_id), _done(f"session {session_id} has ended"))


def _grants(boards: Sequence[str]) -> list[BoardGrant]:
    grants = []
    for given in boards:
        board, _, role = given.rpartition("=")
        if not board or role not in set(Role):
            raise click.UsageError(f"{given!r} is no grant: write BOARD=ROLE, such as treasury=reviewer")
        grants.append(BoardGrant(board=board, role=Role(role)))
    return grants


def _users(found: Sequence[User]) -> Table:
    shown = table("user", "roles", "boards", "state", "since")
    for one in found:
        grants = ", ".join(f"{grant.board}: {grant.role}" for grant in one.boards)
        shown.add_row(one.name, ", ".join(one.roles) or "none", grants, one.state, text.moment(one.created_at))
    return shown


def _invited(made: UserInvited, what: str) -> Text:
    return Text.assemble(_done(what), "\n", "one-time link, good for a day:\n", (made.link, "bold"))


def _done(what: str) -> Text:
    return Text.assemble(("✓ ", "bold green"), what)
