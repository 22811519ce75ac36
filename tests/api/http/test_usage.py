"""Usage at every front door: API, client, command line and page tell the same."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from activities.artifacts.contracts import Text
from activities.llm.contracts import ModelAnswer, ModelUnavailable
from activities.records.calls import SqlCallLedger
from api.cli.main import cli
from api.client import AsyncPrismClient
from api.console.columns import HEIGHT, columns
from tests.api.http.serving import serving
from workers.settings import Settings


async def test_usage_is_told_alike_at_every_door(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path)) as api:
        async with httpx.AsyncClient(base_url=api.url, timeout=60) as client:
            assert "No model was asked" in (await client.get("/usage")).text
            ledger = SqlCallLedger(api.services.stores.engine)
            for key, model in (("a", "openai/<b>x</b>"), ("b", "local/y")):
                await ledger.begin(key, "g", "digest")
                answer = ModelAnswer(output=Text.by_value("x"), group="g", model=model, cost_usd=0.5, latency_ms=1500)
                await ledger.record(key, answer)
            await ledger.failed("a", "openai/<b>x</b>", ModelUnavailable("answered 529"), 80)
            page = (await client.get("/usage", params={"days": 7})).text
            assert (await client.get("/api/v1/usage", params={"days": 0})).status_code == 422
        assert "openai/&lt;b&gt;x&lt;/b&gt;" in page
        assert "answered 529" in page
        # Drawn, and each in the table beside it.
        assert page.count('class="k-paid" x=') == 2
        assert page.count(f"<td>{datetime.now(UTC).date()}</td>") == 1
        async with AsyncPrismClient(api.url) as async_client:
            told = await async_client.usage(7)
        assert (told.total.calls, told.total.local, told.total.cost_usd, len(told.parts)) == (2, 1, 1.0, 7)
        shown = CliRunner().invoke(cli, ["--url", api.url, "usage", "--days", "7"])
        assert shown.exit_code == 0
        assert "2 calls since" in shown.output
        assert "50% local, 0% cached" in shown.output
        assert "1,500 ms" in shown.output


@pytest.mark.parametrize(
    ("values", "most", "places"),
    [
        ([], 0.0, []),
        ([[("paid", 0.0)]], 0.0, []),
        (
            [[("paid", 1.0), ("local", 3.0)], [("paid", 2.0)]],
            4.0,
            [("paid", 90, 30), ("local", 0, 90), ("paid", 60, 60)],
        ),
    ],
)
def test_columns_are_as_high_as_their_values(
    values: list[list[tuple[str, float]]], most: float, places: list[tuple[str, float, float]]
) -> None:
    pieces, highest = columns(values, ["a" for _ in values])
    assert highest == most
    assert [(one.kind, one.y, one.height) for one in pieces] == places
    assert all(one.x >= 0 and one.x + one.width <= 100 and one.y + one.height <= HEIGHT for one in pieces)
