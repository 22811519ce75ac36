"""A Jinja2 sandbox in which a template can use only so much time and memory.

Jinja2's own sandbox keeps templates away from Python's internals. This one also charges each iteration,
call, filter and joined text to a budget, so that ``{{ 'a' * 10**9 }}`` fails instead of taking the machine.
"""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_context
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from catalogs.sandbox_filters import bounded_filters, weigh

BUDGET: Final = 8 * 1024 * 1024
MAX_INTEGER_BITS: Final = 4_096
_STEP: Final = 50
_TEXT_METHODS: Final = frozenset(
    {"lower", "upper", "title", "capitalize", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix"}
    | {"split", "rsplit", "splitlines", "startswith", "endswith", "count", "find", "rfind", "index"}
    | {"isdigit", "isalpha", "isalnum", "isnumeric", "isspace"}
)
_METHODS: Final = _TEXT_METHODS | {"items", "keys", "values", "get"}
_FORBIDDEN: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_GLOBALS: Final = ("range", "dict", "namespace", "cycler", "joiner")


class TooMuchWork(Exception):
    """A template used up its budget."""


class Budget:
    """Units of work left: about one per character made."""

    def __init__(self, base: int) -> None:
        self.left = BUDGET
        self.base = base

    def charge(self, units: int) -> None:
        """Take units away.

        Raises:
            TooMuchWork: None are left.
        """
        self.left -= units
        if self.left < 0:
            raise TooMuchWork("it repeats too often or makes texts too large")


_CURRENT: Final[ContextVar[Budget]] = ContextVar("budget")


@contextmanager
def budget_of(template: str) -> Iterator[None]:
    """Give a fresh budget to the rendering inside."""
    before = _CURRENT.set(Budget(len(template)))
    try:
        yield
    finally:
        _CURRENT.reset(before)


def charge(units: int) -> None:
    """Charge the current rendering; outside of one, only small amounts pass."""
    budget = _CURRENT.get(None)
    if budget is not None:
        budget.charge(units)
    elif units > MAX_INTEGER_BITS:
        raise TooMuchWork("it makes a constant too large")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The environment of prompt templates."""

    intercepted_binops = frozenset({"+", "*", "**", "%", "//", "-", "/"})

    def __init__(self) -> None:
        super().__init__(
            autoescape=False,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            optimized=False,
            cache_size=0,
            comment_start_string="{#\0prism",
            comment_end_string="prism\0#}",
            finalize=_charged_output,
        )
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.filters = bounded_filters(self.filters, charge)
        self.filters[_COUNTED] = _counted
        self.filters[_JOINED] = _joined
        self.filters[_WEIGHED] = _weighed

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all(_FORBIDDEN):
            raise TemplateSyntaxError("other templates cannot be used from a prompt", node.lineno)
        for call in tree.find_all(nodes.Filter):
            if call.name in {_COUNTED, _JOINED, _WEIGHED}:
                raise TemplateSyntaxError(f"No filter named {call.name!r}.", call.lineno)
        bounded: nodes.Template = _Bounds().visit(tree)
        bounded.set_environment(self)
        return bounded

    def wrap_str_format(self, value: Any) -> None:  # noqa: ANN401 -- as in Jinja2
        """Offer no ``str.format``: its widths make texts of any size."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 -- as in Jinja2
        """Whether a template may use an attribute: none of a text's that can multiply it."""
        if isinstance(obj, str | bytes | int | float | list | tuple | dict):
            return attr in _METHODS
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- as in Jinja2
        """Call what a template calls, charged for what it is given."""
        budget = _CURRENT.get(None)
        size = budget.base if budget else 0
        owner = getattr(obj, "__self__", None)
        size += len(owner) if isinstance(owner, Sized) else 0
        charge(_STEP + size)
        weigh((args, kwargs), charge)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 -- as in Jinja2
        """Compute what a template computes, unless the result would be too large."""
        if isinstance(left, Undefined) or isinstance(right, Undefined):
            return super().call_binop(context, operator, left, right)
        if operator == "%" and not isinstance(left, int | float):
            raise TooMuchWork("the operator % formats no texts here: join them with ~")
        charge(_STEP + _result_size(operator, left, right))
        return super().call_binop(context, operator, left, right)


def _result_size(operator: str, left: Any, right: Any) -> int:  # noqa: ANN401 -- any value of a template
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() + right.bit_length()
        if operator == "**":
            bits = left.bit_length() * max(right, 0)
        if bits > MAX_INTEGER_BITS:
            raise TooMuchWork("it computes a number too large")
        return 0
    if operator == "*":
        repeated, times = (left, right) if isinstance(right, int) else (right, left)
        return weigh(repeated, charge) * max(times, 0) if isinstance(times, int) else 0
    return weigh(left, charge) + weigh(right, charge)


_COUNTED: Final = "prism_counted"
_JOINED: Final = "prism_joined"
_WEIGHED: Final = "prism_weighed"


class _Bounds(NodeTransformer):
    """Makes loops, joined texts and new lists pass through the budget."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 -- Jinja2 dispatches on the name
        self.generic_visit(node)
        text = sum(len(data.data) for part in node.body for data in part.find_all(nodes.TemplateData))
        cost = nodes.Const(text, lineno=node.lineno)
        node.iter = nodes.Filter(node.iter, _COUNTED, [cost], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 -- Jinja2 dispatches on the name
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, _JOINED, [], [], None, None, lineno=node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Filter:  # noqa: N802 -- Jinja2 dispatches on the name
        return self._weighed(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Filter:  # noqa: N802 -- Jinja2 dispatches on the name
        return self._weighed(node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802 -- Jinja2 dispatches on the name
        return self._weighed(node) if node.ctx == "load" else node

    def _weighed(self, node: nodes.Expr) -> nodes.Filter:
        self.generic_visit(node)
        return nodes.Filter(node, _WEIGHED, [], [], None, None, lineno=node.lineno)


@pass_context
def _counted(_context: Context, values: Iterable[Any], text: int) -> Iterable[Any]:
    if isinstance(values, Undefined):
        return values
    return _counting(values, text)


def _counting(values: Iterable[Any], text: int) -> Iterator[Any]:
    for value in values:
        charge(_STEP + text)
        yield value


@pass_context
def _joined(_context: Context, parts: list[Any]) -> str:
    weigh(parts, charge)
    return "".join(map(str, parts))


@pass_context
def _weighed(_context: Context, value: Any) -> Any:  # noqa: ANN401 -- any value of a template
    """Charge a new list for all it holds, so that lists of lists cannot double in size for nothing."""
    weigh(value, charge)
    return value


@pass_context
def _charged_output(_context: Context, value: Any) -> Any:  # noqa: ANN401 -- any value of a template
    weigh(value, charge)
    return value
