"""YAML files that people write: plain values, and the line each stands on, so that a fault is told with its place."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from temporal.errors import InvalidFile

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]
Fault = tuple[Place, str]
Contradictions = Callable[[Any], Iterator[Fault]]


class UnusableDocument(ValueError):
    """A file cannot be used.

    Args:
        faults: Each with its line and place.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("".join(f"\n  {fault}" for fault in faults))
        self.faults = faults


def no_contradictions(value: Any) -> Iterator[Fault]:  # noqa: ANN401, ARG001 -- any YAML value
    """Find nothing: every field says all by itself."""
    return iter(())


def load_document(
    path: Path, model: type[Model], invalid: type[InvalidFile], contradictions: Contradictions = no_contradictions
) -> Model:
    """Return what a file says.

    Args:
        path: The file.
        model: What it has to say.
        invalid: What is raised where it cannot be read, is not YAML, or says something else; every fault is told.
        contradictions: Finds what no field says alone, also where other fields are wrong: pydantic stops at those.

    Raises:
        InvalidFile: As ``invalid``.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise invalid(path, [f"the file cannot be read: {reason}"]) from None
    return parse_document(text, str(path), model, invalid, contradictions)


def parse_document(
    text: str,
    source: str,
    model: type[Model],
    invalid: type[InvalidFile],
    contradictions: Contradictions = no_contradictions,
) -> Model:
    """Return what a text says, as ``load_document`` does of a file; ``source`` is what people call it."""
    try:
        return _parsed(text, model, contradictions)
    except UnusableDocument as error:
        raise invalid(source, error.faults) from None


def _parsed(text: str, model: type[Model], contradictions: Contradictions) -> Model:
    document = YamlDocument(text)
    found = [*document.faults, *contradictions(document.value)]
    parsed = None
    try:
        parsed = model.model_validate(document.value)
    except ValidationError as error:
        # Only place and message: the input may be a URL with a password.
        found += [(tuple(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    if parsed is None or found:
        raise UnusableDocument(document.told(found))
    return parsed


class YamlDocument:
    """A YAML text as plain values, every scalar a string, and the line each stands on.

    YAML's own reading of scalars would take ``22:00`` for the number 1320 and ``no`` for false.

    Raises:
        UnusableDocument: It is not YAML.
    """

    def __init__(self, text: str) -> None:
        self.faults: list[Fault] = []
        self._lines: dict[Place, int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.YAMLError as error:
            # The parser's own message quotes the text.
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
            raise UnusableDocument([f"{place}not YAML"]) from None
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
