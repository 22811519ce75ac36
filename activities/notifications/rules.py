"""Which notification goes out by which channel, and when. Pure; ``rules_file`` reads them from YAML."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from activities.notifications.contracts import EventKind, Severity
from activities.notifications.schedule import digest_due, quiet_until
from activities.yaml_fields import Clock, Zone

_ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


EnvironmentName = Annotated[str, Field(pattern=_ENVIRONMENT_NAME)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Rule(BaseModel):
    # Input is hidden in errors: it may be a URL with a password.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class Digest(_Rule):
    """Collects what comes within some minutes into one message."""

    minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)]


class QuietHours(_Rule):
    """Holds back what is not urgent.

    Args:
        time_zone: Whose clock counts, such as ``Europe/Berlin``.
        begins: Local time at which it becomes quiet (``from``).
        ends: Local time at which it is over (``to``).
        urgent: Severity from which a notification passes through.
    """

    time_zone: Zone
    begins: Clock = Field(alias="from")
    ends: Clock = Field(alias="to")
    urgent: Severity = Severity.ERROR

    @model_validator(mode="after")
    def _some_time_is_loud(self) -> "QuietHours":
        if self.begins == self.ends:
            raise ValueError("from and to must differ")
        return self

    def until(self, moment: datetime, severity: Severity) -> datetime | None:
        """Return when something of this severity may be sent, ``None`` for at once."""
        if severity.rank >= self.urgent.rank:
            return None
        return quiet_until(moment, ZoneInfo(self.time_zone), self.begins, self.ends)


def channel_faults(kind: object, given: Collection[str]) -> list[str]:
    """Return why the fields that a channel gives do not go together; empty when they do."""
    faults = []
    if ("url" in given) == ("url_env" in given):
        faults.append("needs either url or url_env")
    if kind == "webhook" and "secret_env" not in given:
        faults.append("a webhook needs secret_env, as every one is signed")
    if kind == "apprise" and "secret_env" in given:
        faults.append("secret_env is for webhooks; apprise takes its secrets from the URL")
    return faults


class ChannelRule(_Rule):
    """A way out of the house.

    Args:
        kind: ``apprise`` (mail, chat, SMS: any URL of the library) or ``webhook``.
        url: Where to; better ``url_env``, as most such URLs hold a password or token.
        url_env: Name of the environment variable that holds the URL.
        secret_env: Name of the environment variable that holds the secret which signs webhooks.
    """

    kind: Literal["apprise", "webhook"]
    url: SecretStr | None = None
    url_env: EnvironmentName | None = None
    secret_env: EnvironmentName | None = None
    digest: Digest | None = None
    quiet_hours: QuietHours | None = None

    @model_validator(mode="after")
    def _is_reachable(self) -> "ChannelRule":
        given = {name for name in ("url", "url_env", "secret_env") if getattr(self, name) is not None}
        for fault in channel_faults(self.kind, given):
            raise ValueError(fault)
        return self

    def due(self, moment: datetime, severity: Severity) -> datetime:
        """Return when something that comes up now is to be sent."""
        due = digest_due(moment, timedelta(minutes=self.digest.minutes)) if self.digest else moment
        return self.quiet_until(due, severity) or due

    def quiet_until(self, moment: datetime, severity: Severity) -> datetime | None:
        """Return the end of the quiet hours that hold this back, ``None`` when none do."""
        return self.quiet_hours.until(moment, severity) if self.quiet_hours else None


class Route(_Rule):
    """Sends what matches all of its conditions to its channels.

    Args:
        board: Glob that the row's board matches.
        events: Kinds of events; empty means every one.
        severity: The least severity.
        recipients: Globs of which one matches one of the recipients; empty means everybody.
        channels: Names of channels.
    """

    name: Name
    board: str = "*"
    events: tuple[EventKind, ...] = ()
    severity: Severity = Severity.INFO
    recipients: tuple[str, ...] = ()
    channels: Annotated[tuple[str, ...], Field(min_length=1)]

    def matches(self, board: str, event: EventKind | None, severity: Severity, recipients: Iterable[str]) -> bool:
        """Return whether a notification takes this route."""
        return (
            fnmatchcase(board, self.board)
            and (not self.events or event in self.events)
            and severity.rank >= self.severity.rank
            and (not self.recipients or any(fnmatchcase(one, glob) for one in recipients for glob in self.recipients))
        )


class Rules(_Rule):
    """The whole file.

    Args:
        channels: Channels by name.
        routes: Who is told of what.
        people: Recipients' own channels, used whenever a notification names them.
    """

    channels: dict[Name, ChannelRule] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    people: dict[Name, tuple[str, ...]] = Field(default_factory=dict)

    def targets(
        self, board: str, event: EventKind | None, severity: Severity, recipients: Iterable[str]
    ) -> dict[str, str]:
        """Return the channels a notification goes to, each once, with the rule that asked for it first."""
        people = tuple(recipients)
        found: dict[str, str] = {}
        for route in self.routes:
            if route.matches(board, event, severity, people):
                for channel in route.channels:
                    found.setdefault(channel, f"routes/{route.name}")
        for person in people:
            for channel in self.people.get(person, ()):
                found.setdefault(channel, f"people/{person}")
        return found
