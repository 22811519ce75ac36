"""What every command shares: settings, where the API is, and how answers are shown."""

import functools
import getpass
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from pydantic import BaseModel, ValidationError
from rich.console import Console, RenderableType
from rich.text import Text

from activities.identity.contracts import TOKEN_PREFIX as PREFIX
from api.cli import credentials
from api.client import PrismClient
from temporal.errors import InvalidSettings
from workers.settings import Settings

# A pipe has no width; tables that are read by grep should not be folded to a terminal's.
PIPE_WIDTH = 160
Command = Callable[..., None]


@dataclass(frozen=True)
class Session:
    """One invocation of a command.

    Args:
        settings: Settings of the environment.
        url: Where the API is.
        named: Whether the person named that place.
        as_json: Whether output is for a program.
    """

    settings: Settings
    url: str
    named: bool
    as_json: bool

    def client(self, url: str | None = None) -> PrismClient:
        """Return a client of the API, with a token: the environment's, else a login's, else the installation's own."""
        address = url or self.url
        given = self.settings.api_token
        token = given.get_secret_value() if given else credentials.token_for(address)
        return PrismClient(address, token=token or own_token(self.settings, address))

    def who(self, given: str | None) -> str:
        """Return in whose name a command acts: the name given, else the login's; the API knows a person by itself."""
        token = self.settings.api_token
        personal = token.get_secret_value().startswith(PREFIX) if token else credentials.user_at(self.url) is not None
        if given or personal:
            return given or ""
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            raise click.UsageError("say who you are: --by NAME") from None

    def show(self, data: BaseModel | Sequence[BaseModel] | dict[str, Any], *human: RenderableType) -> None:
        """Write an answer: as JSON, or as a person reads it."""
        if self.as_json:
            click.echo(json.dumps(_plain(data), indent=2, ensure_ascii=False))
            return
        console = out()
        for part in human:
            # A line may hold a command to paste: the terminal folds it, we do not.
            console.print(part, soft_wrap=isinstance(part, Text))


def out() -> Console:
    """Return the console of standard output."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def err() -> Console:
    """Return the console of standard error: progress and remarks."""
    return Console(file=sys.stderr, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False)


def load_settings() -> Settings:
    """Return the environment's settings.

    Raises:
        InvalidSettings: A value cannot be used; the message names the variable and never its value.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"PRISM_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors())
        raise InvalidSettings(f"the environment has settings that cannot be used: {faults}") from None


def with_session(command: Command) -> Command:
    """Give a command ``--json`` and ``--url``, and a session as its first argument."""

    def wrapper(*args: Any, as_json: bool, url: str | None, **options: Any) -> None:  # noqa: ANN401
        shared = click.get_current_context().find_root().obj
        shared["json"] = as_json or shared["json"]
        settings = load_settings()
        given = url or shared["url"]
        session = Session(settings, given or served_at(settings), named=bool(given), as_json=shared["json"])
        command(session, *args, **options)

    functools.update_wrapper(wrapper, command)
    with_url = click.option("--url", metavar="URL", help="Where Prism's API is.")(wrapper)
    return click.option("--json", "as_json", is_flag=True, help="Machine output.")(with_url)


def served_at(settings: Settings) -> str:
    """Return where the API is: as the environment says, else where ``prism up`` wrote that it serves, else default."""
    if not settings.model_fields_set & {"api_url", "api_host", "api_port"} and (address := _up_at(settings)):
        return address
    return settings.console_url


def own_token(settings: Settings, url: str) -> str | None:
    """Return the token of the installation whose state is at hand, for its own address and no other."""
    if _up_at(settings) != url:
        return None
    try:
        return settings.own_token_file.read_text()
    except OSError:
        return None


def _up_at(settings: Settings) -> str | None:
    try:
        return str(json.loads((settings.home / "up.json").read_text())["api"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _plain(data: Any) -> Any:  # noqa: ANN401 -- JSON values
    if isinstance(data, BaseModel):
        return data.model_dump(mode="json")
    if isinstance(data, (list, tuple)):
        return [_plain(one) for one in data]
    return data
