"""Results of a run as CSV, JSON lines or JSON, streamed a batch of rows at a time."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from activities.records.views import RowView
from api.services import Services

COLUMNS: Final = (
    "id",
    "board",
    "task",
    "title",
    "state",
    "output",
    "model",
    "experiment",
    "variant",
    "cost_usd",
    "criteria",
    "code",
    "message",
    "output_digest",
    "envelope",
    "similar",
)
# A spreadsheet runs a cell that begins so (OWASP: CSV injection).
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
KINDS: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "json": "application/json"}


def stream(services: Services, run: str, form: str) -> tuple[AsyncIterator[str], str]:
    """Return a run's results in a form, and the form's media type."""
    writers = {"csv": _csv, "jsonl": _lines, "json": _json}
    return writers[form](_rows(services, run)), KINDS[form]


def escaped(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


async def _rows(services: Services, run: str) -> AsyncIterator[dict[str, Any]]:
    async for row in services.queries.results(run):
        output = row.output
        if output is None and row.output_digest:
            output = (await services.stores.artifacts.get(row.output_digest)).decode()
        yield {
            "id": row.row,
            "board": row.board,
            "task": row.task,
            "title": row.title,
            "state": row.state.value,
            "output": output or "",
            "model": row.model,
            "experiment": row.experiment,
            "variant": row.variant,
            "cost_usd": row.cost_usd,
            "criteria": _criteria(row),
            "code": row.code,
            "message": row.message,
            "output_digest": row.output_digest or "",
            "envelope": row.envelope or "",
            "similar": "; ".join(map(str, row.similar)),
        }


def _criteria(row: RowView) -> str:
    return "; ".join(
        f"{verdict['criterion']} [{verdict['basis']}: {_told(verdict['passed'])}]" for verdict in row.verdicts
    )


def _told(passed: bool | None) -> str:
    return "open" if passed is None else "passed" if passed else "failed"


async def _csv(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    async for row in rows:
        writer.writerow([escaped(str(row[name])) for name in COLUMNS])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


async def _lines(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    async for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


async def _json(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    yield "["
    first = True
    async for row in rows:
        yield ("" if first else ",\n") + json.dumps(row, ensure_ascii=False)
        first = False
    yield "]\n"
