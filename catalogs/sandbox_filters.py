"""The filters that prompt templates may use, each charged for what it works on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, Final

from jinja2 import pass_context
from jinja2.runtime import Context

Charge = Callable[[int], None]

_TEXTS: Final = {
    "capitalize",
    "lower",
    "string",
    "striptags",
    "title",
    "trim",
    "truncate",
    "upper",
    "urlencode",
}
_LISTS: Final = {"first", "groupby", "items", "last", "list", "map", "reverse", "sort", "unique", "dictsort"}
_CHOICES: Final = {"reject", "rejectattr", "select", "selectattr", "max", "min", "default", "d"}
_NUMBERS: Final = {"abs", "count", "float", "int", "length", "round", "wordcount", "tojson"}
_KEPT: Final = sorted(_TEXTS | _LISTS | _CHOICES | _NUMBERS)
_MAX_INDENT: Final = 40
_ELEMENT: Final = 20


def bounded_filters(filters: dict[str, Callable[..., Any]], charge: Charge) -> dict[str, Callable[..., Any]]:
    """Return the filters that are safe to offer, each charged to the budget.

    Args:
        filters: Jinja2's own.
        charge: Takes units from the budget of the current rendering.
    """
    bounded = {name: _charged(filters[name], charge) for name in _KEPT}
    bounded["replace"] = _replace(charge)
    bounded["join"] = _join(charge)
    bounded["indent"] = _indent(charge)
    bounded["tojson"] = _first_argument_only(bounded["tojson"])
    bounded["sum"] = _sum(charge)
    return bounded


def _charged(original: Callable[..., Any], charge: Charge) -> Callable[..., Any]:
    passes = getattr(original, "jinja_pass_arg", None)

    @pass_context
    @wraps(original)
    def filter_(context: Context, value: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        values = _charged_elements(value, charge)
        if passes is None:
            return original(values, *args, **kwargs)
        first = {"context": context, "eval_context": context.eval_ctx, "environment": context.environment}
        return original(first[passes.name], values, *args, **kwargs)

    return filter_


def _charged_elements(value: Any, charge: Charge) -> Any:  # noqa: ANN401 -- any value of a template
    if isinstance(value, Iterator):
        return _charging(value, charge)
    weigh(value, charge)
    return value


def weigh(value: Any, charge: Charge) -> int:  # noqa: ANN401 -- any value of a template
    """Charge a value for its text and all that it holds, at each place that it is held.

    Args:
        value: Any value of a template.
        charge: Takes units from the budget of the current rendering.

    Returns:
        How many units were charged.
    """
    total = 0
    pending = [value]
    while pending:
        held = pending.pop()
        units = _ELEMENT
        if isinstance(held, str):
            units += len(held)
        elif isinstance(held, range):
            units *= 1 + len(held)
        elif isinstance(held, Mapping):
            pending.extend(held.keys())
            pending.extend(held.values())
        elif isinstance(held, list | tuple | set | frozenset):
            pending.extend(held)
        charge(units)
        total += units
    return total


def _charging(values: Iterable[Any], charge: Charge) -> Iterator[Any]:
    for value in values:
        charge(_ELEMENT)
        yield value


def _replace(charge: Charge) -> Callable[..., Any]:
    def replace(value: Any, old: str, new: str, count: int = -1) -> str:  # noqa: ANN401 -- any value of a template
        text, old, new = str(value), str(old), str(new)
        charge(_ELEMENT + len(text) + (text.count(old)) * len(new))
        return text.replace(old, new, count)

    return replace


def _join(charge: Charge) -> Callable[..., Any]:
    def join(values: Iterable[Any], separator: str = "") -> str:
        texts: list[str] = []
        between = str(separator)
        for value in values:
            weigh(value, charge)
            charge(len(between))
            texts.append(str(value))
        return between.join(texts)

    return join


def _sum(charge: Charge) -> Callable[..., Any]:
    def sum_(values: Iterable[Any]) -> float:
        total: float = 0
        for value in values:
            charge(_ELEMENT)
            if not isinstance(value, int | float):
                raise TypeError("sum adds numbers only")
            total += value
        return total

    return sum_


def _indent(charge: Charge) -> Callable[..., Any]:
    def indent(value: Any, width: int = 4, first: bool = False) -> str:  # noqa: ANN401 -- as in Jinja2
        if not isinstance(width, int) or not 0 <= width <= _MAX_INDENT:
            raise ValueError(f"indent takes a width from 0 to {_MAX_INDENT}")
        lines = str(value).split("\n")
        charge(_ELEMENT + sum(map(len, lines)) + width * len(lines))
        pad = " " * width
        return (pad if first else "") + ("\n" + pad).join(lines)

    return indent


def _first_argument_only(original: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def filter_(context: Context, value: Any) -> str:  # noqa: ANN401 -- any value of a template
        return str(original(context, value))

    return filter_
