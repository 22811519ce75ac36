"""Reads notification rules from YAML and tells every fault with its place."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from activities.notifications.rules import Rules, channel_faults
from temporal.errors import PrismError
from temporal.names import ErrorCode

Place = tuple[str | int, ...]
Fault = tuple[Place, str]


class InvalidRules(PrismError):
    """The notification rules cannot be used; ``details["faults"]`` lists why."""

    code = ErrorCode.INVALID_SETTINGS

    def __init__(self, source: str, faults: list[str]) -> None:
        lines = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"the notification rules in {source} cannot be used:{lines}", faults=faults)


def load_rules(path: Path) -> Rules:
    """Return the rules of a file.

    Raises:
        InvalidRules: It cannot be read, is not YAML, or does not say what rules say; every fault is told.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidRules(str(path), [f"the file cannot be read: {reason}"]) from None
    return parse_rules(text, str(path))


def parse_rules(text: str, source: str) -> Rules:
    """Return the rules that a text states.

    Args:
        text: YAML.
        source: What people call it.

    Raises:
        InvalidRules: See ``load_rules``.
    """
    document = _Document(text, source)
    found = [*document.faults, *_contradictions(document.value)]
    rules = None
    try:
        rules = Rules.model_validate(document.value)
    except ValidationError as error:
        # Only place and message: the input may be a URL with a password.
        found += [(tuple(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    if rules is None or found:
        raise InvalidRules(source, document.told(found))
    return rules


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


class _Document:
    """A YAML text as plain values, every scalar a string, and the line each stands on.

    YAML's own reading of scalars would take ``22:00`` for the number 1320 and ``no`` for false.
    """

    def __init__(self, text: str, source: str) -> None:
        self.faults: list[Fault] = []
        self._lines: dict[Place, int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.YAMLError as error:
            # The parser's own message quotes the text.
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
            raise InvalidRules(source, [f"{place}not YAML"]) from None
        self.value = self._plain(node, (), frozenset()) if node is not None else {}

    def told(self, faults: Iterable[Fault]) -> list[str]:
        """Return each fault once, with its line and place, from top to bottom."""
        lines = {fault: self._line(fault[0]) for fault in dict.fromkeys(faults)}
        return [
            f"line {lines[place, message]}: {'.'.join(map(str, place)) or 'the whole'}: {message}"
            for place, message in sorted(lines, key=lines.__getitem__)
        ]

    def _line(self, place: Place) -> int:
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def _plain(self, node: yaml.Node, place: Place, around: frozenset[int]) -> Any:  # noqa: ANN401 -- any YAML value
        self._lines[place] = node.start_mark.line + 1
        if id(node) in around:
            self.faults.append((place, "an alias stands within what it names"))
            return None
        inside = around | {id(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(one, (*place, number), inside) for number, one in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return node.value
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in found:
                self.faults.append(((*place, name), "stands twice"))
            found[name] = self._plain(value, (*place, name), inside)
        return found
