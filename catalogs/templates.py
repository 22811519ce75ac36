"""Prompt templates: what they may refer to, and rendering them within bounds.

Only ``{{ }}`` and ``{% %}`` are syntax. Single braces, backticks and ``{#`` are text.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

from jinja2 import Template, TemplateError, TemplateSyntaxError, meta, nodes

from catalogs.columns import NAMES, near_misses
from catalogs.faults import TemplateFailed
from catalogs.row import CatalogRow
from catalogs.sandbox import BoundedEnvironment, TooMuchWork, budget_of

MAX_RENDERED_CHARS: Final = 1024 * 1024
MAX_PROBLEMS: Final = 10
_TAGS_TRIED: Final = 100
_NESTED_BLOCKS: Final = 15  # Python nests 20 blocks; only templates of some size can fail to compile
_LARGE_CHARS: Final = 2_000
_ENVIRONMENT: Final = BoundedEnvironment()
_BROKEN: Final = (
    TemplateError,
    RecursionError,
    SyntaxError,
    MemoryError,
    OverflowError,
    ValueError,
    TypeError,
)
_TAG: Final = re.compile(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)")
_ROW_NAMES: Final = NAMES | {"line"}
# What is followed by the id of another row: its output as text, and as the object that its JSON is.
OUTPUTS: Final = "outputs"
DATA: Final = "data"


class Problem(NamedTuple):
    """Something wrong with a template, and where in it.

    Args:
        line: Line of the template, from 1.
        column: Character of the line, from 1.
    """

    message: str
    line: int
    column: int


class Inspection(NamedTuple):
    """What a template refers to, and what is wrong with it.

    Args:
        dependencies: Ids of the rows whose outputs it uses.
        data: Those of them whose outputs it uses as JSON.
    """

    dependencies: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def inspect(template: str, variables: Iterable[str] = ()) -> Inspection:
    """Check a template without rendering it.

    Args:
        template: Text of the prompt column.
        variables: Names the template may use besides ``row``, ``outputs`` and ``data``; one called ``data`` is itself.
    """
    if is_plain(template):
        return Inspection()
    inspected = _inspected if len(template) <= _LARGE_CHARS else _inspected.__wrapped__
    return inspected(template, frozenset(variables))


@lru_cache(maxsize=512)
def _inspected(template: str, known: frozenset[str]) -> Inspection:
    try:
        tree = _ENVIRONMENT.parse(template)
        names = meta.find_undeclared_variables(tree)
        if template.count("{%") > _NESTED_BLOCKS or len(template) > _LARGE_CHARS:
            _ENVIRONMENT.compile(template)
    except _BROKEN as fault:
        return Inspection(problems=(_broken(template, fault),))
    problems: list[Problem] = []
    # A template, or a column, may have something of its own that it calls data.
    sources = (OUTPUTS, DATA) if DATA in names - known else (OUTPUTS,)
    found = {source: _dependencies(template, tree, source, problems) for source in sources}
    tolerated = _guarded(tree)
    unknown = sorted(names - known - {"row", *sources} - set(_ENVIRONMENT.globals) - tolerated)
    for name in unknown[:MAX_PROBLEMS]:
        near = [f"row.{name}"] if name in _ROW_NAMES else list(near_misses(name, [*known, "row", OUTPUTS]))
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        problems.append(Problem(f"{name!r} is not defined{hint}", *_find(template, name)))
    absent = dict.fromkeys(name for name in _row_names(tree) if name not in _ROW_NAMES | known | tolerated)
    for name in list(absent)[:MAX_PROBLEMS]:
        close = near_misses(name, [*_ROW_NAMES, *known])
        hint = f"; did you mean row.{close[0]}?" if close else ""
        problems.append(Problem(f"row has no column {name!r}{hint}", *_find(template, name)))
    dependencies = tuple(dict.fromkeys(one for each in found.values() for one in each))
    return Inspection(dependencies, found.get(DATA, ()), tuple(problems[:MAX_PROBLEMS]))


def malformed(template: str) -> Problem | None:
    """Return why a text is no template, whatever it refers to; ``None`` for one that is."""
    try:
        _ENVIRONMENT.compile(template)
    except _BROKEN as fault:
        return _broken(template, fault)
    return None


def dependencies(template: str) -> tuple[str, ...]:
    """Return the ids of the rows whose outputs a template uses, in order of use."""
    return inspect(template).dependencies


def render(template: str, row: CatalogRow, outputs: Mapping[str, str]) -> str:
    """Return a template's text.

    Args:
        template: Text of the prompt column.
        row: The row it belongs to.
        outputs: Outputs of the rows it depends on, by id.

    Raises:
        TemplateFailed: It does not parse, uses what is not there, or would take too much work or room.
    """
    if is_plain(template):
        return template
    facts = row.model_dump(mode="json")
    variables = facts.pop("variables")
    context: dict[str, Any] = {**variables, "row": variables | facts, OUTPUTS: dict(outputs)}
    if DATA not in variables:
        context[DATA] = _data(template, row, outputs)
    try:
        with budget_of(template):
            text: str = _compiled(template).render(context)
    except TooMuchWork as fault:
        raise TemplateFailed(f"the prompt template of row {row.id!r} is too costly: {fault}", row=row.id) from fault
    except _RENDERING as fault:
        raise TemplateFailed(
            f"the prompt template of row {row.id!r} failed: {_reason(fault)}", row=row.id, line=row.line
        ) from fault
    if len(text) > MAX_RENDERED_CHARS:
        raise TemplateFailed(f"the prompt of row {row.id!r} is longer than {MAX_RENDERED_CHARS} characters", row=row.id)
    return text


_RENDERING: Final = (*_BROKEN, ArithmeticError, LookupError, AttributeError, AssertionError)


def is_plain(template: str) -> bool:
    """Whether a text holds no template syntax at all."""
    return "{{" not in template and "{%" not in template


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _ENVIRONMENT.from_string(template)


def _data(template: str, row: CatalogRow, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Return the objects that a template reads fields of, by row."""
    found = {}
    for name in inspect(template, row.variables).data:
        try:
            found[name] = json.loads(outputs[name])
        except (ValueError, RecursionError):
            raise TemplateFailed(
                f'the prompt template of row {row.id!r} uses data["{name}"], and the output of row {name!r} is not '
                "JSON; give that row an output_schema",
                row=row.id,
                line=row.line,
            ) from None
        except KeyError:
            # The template meets what is missing itself.
            continue
    return found


def _dependencies(template: str, tree: nodes.Template, source: str, problems: list[Problem]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    static: set[int] = set()
    for owner, target in _references(tree):
        if owner.name == source:
            static.add(id(owner))
            found[target] = None
    for name in tree.find_all(nodes.Name):
        if name.name == source and id(name) not in static and len(problems) < MAX_PROBLEMS:
            line, column = _find(template, source, name.lineno)
            told = f'{source} must be followed by the id of a row, as in {source}["id"]'
            problems.append(Problem(told, line, column))
    return tuple(found)


def _row_names(tree: nodes.Template) -> Iterator[str]:
    return (target for owner, target in _references(tree) if owner.name == "row")


def _references(tree: nodes.Template) -> Iterator[tuple[nodes.Name, str]]:
    """Yield each ``name.attribute`` and ``name["attribute"]``."""
    for attribute in tree.find_all(nodes.Getattr):
        if isinstance(attribute.node, nodes.Name):
            yield attribute.node, attribute.attr
    for item in tree.find_all(nodes.Getitem):
        target = item.arg.value if isinstance(item.arg, nodes.Const) else None
        if isinstance(item.node, nodes.Name) and isinstance(target, str):
            yield item.node, target


def _guarded(tree: nodes.Template) -> set[str]:
    """Return the names that the template itself expects to be missing at times."""
    guarded: set[str] = set()
    tests = [node for node in tree.find_all(nodes.Test) if node.name in {"defined", "undefined"}]
    filters = [node for node in tree.find_all(nodes.Filter) if node.name in {"default", "d"}]
    for node in (*tests, *filters):
        if isinstance(node.node, nodes.Name):
            guarded.add(node.node.name)
        elif isinstance(node.node, nodes.Getattr):
            guarded.add(node.node.attr)
    return guarded


def _broken(template: str, fault: BaseException) -> Problem:
    line = fault.lineno if isinstance(fault, TemplateSyntaxError) else 1
    lines = template.split("\n")
    line = min(max(line, 1), len(lines))
    tags = list(islice(_TAG.finditer(lines[line - 1]), _TAGS_TRIED))
    at = next((tag for tag in tags if tag[0].startswith("{{") and not _parses(tag[0])), tags[0] if tags else None)
    return Problem(_reason(fault), line, at.start() + 1 if at else 1)


def _parses(tag: str) -> bool:
    try:
        _ENVIRONMENT.parse(tag)
    except _BROKEN:
        return False
    return True


def _find(template: str, name: str, line: int = 1) -> tuple[int, int]:
    """Return where a name stands within template tags, as line and column."""
    lines = template.split("\n")
    for number in range(line, len(lines) + 1):
        for tag in re.finditer(rf"\b{re.escape(name)}\b", lines[number - 1]):
            before = lines[number - 1][: tag.start()]
            if number > 1 or "{{" in before or "{%" in before:
                return number, tag.start() + 1
    return line, 1


def _reason(fault: BaseException) -> str:
    if isinstance(fault, RecursionError):
        return "it is nested too deep"
    return (getattr(fault, "message", None) or str(fault) or type(fault).__name__).strip()
