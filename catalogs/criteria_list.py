r"""Splitting the ``verification`` cell into criteria.

Criteria are separated by ``;``. A ``;`` belongs to the criterion when written ``\;``, when inside double
quotes that open at the criterion's begin or right after the form's colon, or when inside the JSON of
``json_schema:``. Quotes around the whole criterion, or its whole argument, are taken away; a quote inside
them is doubled.
"""

import json
import re
from typing import Final

_SCHEMA: Final = re.compile(r"json_schema\s*:\s*")
_OPENING: Final = re.compile(r'(?:[a-z_]+\s*:\s*)?"')
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_SPACE: Final = re.compile(r"[\s;]*")
_PLAIN: Final = re.compile(r"(?:\\;|[^;])*")


def split_criteria(text: str) -> tuple[str, ...]:
    """Return the criteria of a ``verification`` cell, in the order written."""
    if '"' not in text and "\\;" not in text:
        return tuple(part for piece in text.split(";") if (part := piece.strip()))
    found: list[str] = []
    position = 0
    while position < len(text):
        start = _end(_SPACE, text, position)
        criterion, position = _schema(text, start) or _quoted(text, start) or _plain(text, start)
        if criterion:
            found.append(criterion)
    return tuple(found)


def _schema(text: str, start: int) -> tuple[str, int] | None:
    if not (opening := _SCHEMA.match(text, start)):
        return None
    try:
        _, end = json.JSONDecoder().raw_decode(text, opening.end())
    except (ValueError, RecursionError):
        return None
    rest, after = _plain(text, end)
    return text[start:end] + rest, after


def _quoted(text: str, start: int) -> tuple[str, int] | None:
    if not (opening := _OPENING.match(text, start)):
        return None
    quoted = _QUOTED.match(text, opening.end() - 1)
    if quoted is None:
        return None
    rest, after = _plain(text, quoted.end())
    if rest:
        return (text[start : quoted.end()] + text[quoted.end() : after].replace("\\;", ";")).strip(), after
    return text[start : opening.end() - 1] + quoted[1].replace('""', '"'), after


def _plain(text: str, start: int) -> tuple[str, int]:
    end = _end(_PLAIN, text, start)
    return text[start:end].replace("\\;", ";").strip(), end


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
