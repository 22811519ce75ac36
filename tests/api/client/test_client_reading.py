"""The clients against a real server: typed answers, pages, errors."""

import json

import pytest

from activities.records.contracts import RowState, RunState
from activities.records.views import RunView
from api.client import AsyncPrismClient, PrismApiError, PrismClient
from temporal.names import ErrorCode
from tests.api.client.seeded import SeededApi


def test_a_run_and_its_rows_come_back_typed(seeded_api: SeededApi, seeded_client: PrismClient) -> None:
    seeded_api.open_run("r1", ["team/a", "b"])
    digest = seeded_api.end_row("r1", "team/a", "red, green")
    run = seeded_client.run("r1")
    assert isinstance(run, RunView)
    assert run.counts == {RowState.SUCCEEDED: 1, RowState.PENDING: 1}
    assert [row.row for row in seeded_client.rows("r1")] == ["team/a", "b"]
    row = seeded_client.row("r1", "team/a")
    assert (row.output, row.steps[0].summary, row.verdicts[0]["passed"]) == ("red, green", "answered", True)
    assert seeded_client.artifact(digest) == b"red, green"
    assert [run.run for run in seeded_client.runs().runs] == ["r1"]
    assert seeded_client.notifications() == []


def test_rows_are_fetched_page_by_page(
    seeded_api: SeededApi, seeded_client: PrismClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.client.synchronous.PAGE_ROWS", 3)
    names = [f"row-{number}" for number in range(8)]
    seeded_api.open_run("r1", names)
    assert [row.row for row in seeded_client.rows("r1")] == names
    assert [row.row for row in seeded_client.rows("r1", limit=4)] == names[:4]
    assert [row.row for row in seeded_client.rows("r1", text="row-7")] == ["row-7"]


def test_results_come_in_every_form(seeded_api: SeededApi, seeded_client: PrismClient) -> None:
    seeded_api.open_run("r1", ["a"])
    seeded_api.end_row("r1", "a", "=SUM(1)")
    assert json.loads(seeded_client.results("r1"))[0]["output"] == "=SUM(1)"
    assert b"'=SUM(1)" in seeded_client.results("r1", "csv")
    assert b"".join(seeded_client.stream_results("r1", "jsonl")) == seeded_client.results("r1", "jsonl")


def test_wait_returns_an_ended_run_and_times_out_on_another(seeded_api: SeededApi, seeded_client: PrismClient) -> None:
    seeded_api.open_run("r1", ["a"])
    with pytest.raises(TimeoutError, match="running"):
        seeded_client.wait("r1", timeout=0.2)
    seeded_api.end_run("r1", RunState.COMPLETED_WITH_FAILURES)
    assert seeded_client.wait("r1", timeout=5).state is RunState.COMPLETED_WITH_FAILURES


def test_an_error_carries_code_status_and_details(seeded_client: PrismClient) -> None:
    with pytest.raises(PrismApiError) as caught:
        seeded_client.run("nothing")
    assert (caught.value.code, caught.value.status) == (ErrorCode.NOT_FOUND, 404)
    assert caught.value.details == {"run": "nothing"}
    with pytest.raises(PrismApiError) as caught:
        list(seeded_client.stream_results("nothing"))
    assert caught.value.status == 404


def test_an_invalid_catalog_is_refused_with_its_faults(seeded_client: PrismClient) -> None:
    with pytest.raises(PrismApiError) as caught:
        seeded_client.submit("title,objective\nx,\n")
    assert caught.value.code is ErrorCode.INVALID_CATALOG
    assert caught.value.details["faults"][0]["line"] == 2
    found = seeded_client.validate("act,prompt\nx,say hello\n", map={"prompt": "objective", "act": "title"})
    assert (found.valid, found.rows) == (True, 1)


def test_a_client_without_a_token_takes_the_environment_s(
    seeded_api: SeededApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRISM_API_TOKEN", seeded_api.token)
    with PrismClient(seeded_api.url) as client:
        assert client.runs().runs == []


def test_a_wrong_token_is_said_so(seeded_api: SeededApi) -> None:
    with PrismClient(seeded_api.url, token="wrong") as client:  # noqa: S106
        with pytest.raises(PrismApiError) as caught:
            client.runs()
        assert (caught.value.code, caught.value.status) == (ErrorCode.UNAUTHENTICATED, 401)
        assert client.health().status == "ok"


def test_readiness_names_the_part_that_does_not_answer(seeded_client: PrismClient) -> None:
    ready = seeded_client.ready()
    assert (ready.status, ready.parts) == ("unavailable", {"temporal": "unavailable", "records": "ok"})


def test_no_answer_is_api_unreachable_with_a_hint() -> None:
    with PrismClient("http://127.0.0.1:1") as client, pytest.raises(PrismApiError) as caught:
        client.runs()
    assert (caught.value.code, caught.value.status) == (ErrorCode.API_UNREACHABLE, 0)
    assert caught.value.details["hint"] == "start it with: prism up"


async def test_the_async_client_reads_the_same(seeded_api: SeededApi) -> None:
    seeded_api.open_run("r1", ["a", "b"])
    seeded_api.end_row("r1", "a", "text")
    seeded_api.end_run("r1")
    async with AsyncPrismClient(seeded_api.url, token=seeded_api.token) as client:
        assert [row.row async for row in client.rows("r1")] == ["a", "b"]
        assert (await client.wait("r1", timeout=5)).state is RunState.COMPLETED
        assert (await client.row("r1", "a")).output == "text"
        assert b"".join([chunk async for chunk in client.stream_results("r1")]) == await client.results("r1")
        with pytest.raises(PrismApiError):
            await client.verify("r1", "b")
