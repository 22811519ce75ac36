"""Reads notification rules from YAML and tells every fault with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activities.notifications.rules import Rules, channel_faults
from activities.yaml_document import Fault, Place, load_document, parse_document
from temporal.errors import InvalidFile


class InvalidRules(InvalidFile):
    """The notification rules cannot be used; ``details["faults"]`` lists why."""

    what = "notification rules"


def load_rules(path: Path) -> Rules:
    """Return the rules of a file.

    Raises:
        InvalidRules: It cannot be read, is not YAML, or does not say what rules say; every fault is told.
    """
    return load_document(path, Rules, InvalidRules, _contradictions)


def parse_rules(text: str, source: str) -> Rules:
    """Return the rules that a text states.

    Args:
        text: YAML.
        source: What people call it.

    Raises:
        InvalidRules: See ``load_rules``.
    """
    return parse_document(text, source, Rules, InvalidRules, _contradictions)


def _contradictions(value: Any) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    """Find what no field says alone, also where other fields are wrong: pydantic stops at those."""
    document = value if isinstance(value, dict) else {}
    channels, routes, people = (document.get(name) for name in ("channels", "routes", "people"))
    known = channels if isinstance(channels, dict) else {}
    for name, channel in known.items():
        if isinstance(channel, dict):
            yield from ((("channels", name), fault) for fault in channel_faults(channel.get("kind"), channel))
    named: list[tuple[Place, Any]] = []
    for number, route in enumerate(routes if isinstance(routes, list) else ()):
        named.append((("routes", number, "channels"), route.get("channels") if isinstance(route, dict) else None))
    for person, own in people.items() if isinstance(people, dict) else ():
        named.append((("people", person), own))
    for place, names in named:
        for number, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name not in known:
                yield (*place, number), f"there is no channel {name!r}"
