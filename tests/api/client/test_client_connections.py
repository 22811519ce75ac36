"""What the clients do when connections break."""

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from api.client import AsyncPrismClient, PrismApiError, PrismClient
from temporal.names import ErrorCode
from tests.api.client.seeded import SeededApi

SUBMITTED = {"run": "r1", "created": True, "total": 1}
CATALOG = "title,objective\nx,say hello\n"


class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Breaks after some chunks."""

    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream, chunks: int) -> None:
        self.stream = stream
        self.left = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.stream:
            yield self._counted(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.stream:
            yield self._counted(chunk)

    def _counted(self, chunk: bytes) -> bytes:
        if self.left == 0:
            raise httpx.ReadError("cut")
        self.left -= 1
        return chunk

    def close(self) -> None:
        self.stream.close()

    async def aclose(self) -> None:
        await self.stream.aclose()


class CuttingTransport(httpx.HTTPTransport):
    def __init__(self) -> None:
        super().__init__()
        self.resumed: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        return cut(self.resumed, request, response)


class AsyncCuttingTransport(httpx.AsyncHTTPTransport):
    def __init__(self) -> None:
        super().__init__()
        self.resumed: list[str | None] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return cut(self.resumed, request, await super().handle_async_request(request))


def cut(resumed: list[str | None], request: httpx.Request, response: httpx.Response) -> httpx.Response:
    resumed.append(request.headers.get("last-event-id"))
    stream = Cut(response.stream, 1 if len(resumed) < 3 else 10_000)
    return httpx.Response(response.status_code, headers=response.headers, stream=stream)


def test_a_watch_resumes_after_the_last_event_it_saw(seeded_api: SeededApi) -> None:
    seeded_api.open_run("r1", ["a", "b"])
    transport = CuttingTransport()
    with PrismClient(seeded_api.url, token=seeded_api.token, transport=transport) as client:
        watch = client.watch("r1")
        events = [next(watch)]
        rest = threading.Thread(target=lambda: events.extend(watch))
        rest.start()
        seeded_api.end_row("r1", "a", "one")
        seeded_api.end_row("r1", "b", "two")
        seeded_api.end_run("r1")
        rest.join(30)
    assert [(event.kind, event.row, event.body["state"]) for event in events] == [
        ("run", "", "running"),
        ("row", "a", "succeeded"),
        ("row", "b", "succeeded"),
        ("run", "", "completed"),
    ]
    assert len(transport.resumed) >= 3
    assert transport.resumed[0] is None
    assert transport.resumed[1] == str(events[0].id)


async def test_the_async_watch_resumes_too(seeded_api: SeededApi) -> None:
    seeded_api.open_run("r1", ["a"])
    seeded_api.end_row("r1", "a", "one")
    seeded_api.end_run("r1")
    transport = AsyncCuttingTransport()
    async with AsyncPrismClient(seeded_api.url, token=seeded_api.token, transport=transport) as client:
        events = [event.id async for event in client.watch("r1")]
        later = [event.id async for event in client.watch("r1", after=events[0])]
    assert len(events) == len(set(events)) == 3
    assert later == events[1:]
    assert len(transport.resumed) >= 3


def test_a_watch_gives_up_when_nobody_answers() -> None:
    with PrismClient("http://127.0.0.1:1") as client, pytest.raises(PrismApiError) as caught:
        next(client.watch("r1", patience=1))
    assert caught.value.code is ErrorCode.API_UNREACHABLE


def test_a_watch_of_an_unknown_run_fails_at_once(seeded_client: PrismClient) -> None:
    with pytest.raises(PrismApiError, match="there is no run"):
        next(seeded_client.watch("nothing"))


def test_a_submission_whose_answer_was_lost_is_repeated_under_its_key() -> None:
    sent: list[tuple[str, bytes]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append((request.headers["idempotency-key"], request.read()))
        if len(sent) == 1:
            raise httpx.RemoteProtocolError("the answer was lost", request=request)
        return httpx.Response(201, json=SUBMITTED)

    with PrismClient(transport=httpx.MockTransport(handle)) as client:
        assert client.submit(CATALOG).run == "r1"
        assert client.submit(CATALOG).run == "r1"
    keys = [key for key, _ in sent]
    assert keys[0] == keys[1] != keys[2]
    assert sent[1][1] == CATALOG.encode()


def test_what_steers_is_never_repeated() -> None:
    sent = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        raise httpx.ReadError("broken", request=request)

    with PrismClient(transport=httpx.MockTransport(handle)) as client, pytest.raises(PrismApiError):
        client.retry("r1", ["a"])
    assert sent == ["/api/v1/runs/r1/retry"]


def test_something_else_on_the_port_is_not_taken_for_prism() -> None:
    for answer in (httpx.Response(404, text="nginx"), httpx.Response(200, json={"hello": "world"})):
        with PrismClient(transport=httpx.MockTransport(lambda _, answer=answer: answer)) as client:
            with pytest.raises(PrismApiError, match="is it Prism's API") as caught:
                client.health()
            assert caught.value.code is ErrorCode.API_UNREACHABLE


def test_a_one_line_text_is_a_path(tmp_path: Path) -> None:
    sent = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append((request.url.params["title"], request.read()))
        return httpx.Response(201, json=SUBMITTED)

    path = tmp_path / "weekly.csv"
    path.write_text(CATALOG)
    with PrismClient(transport=httpx.MockTransport(handle)) as client:
        client.submit(str(path))
        client.submit(path)
        client.submit(CATALOG.encode(), title="weekly.csv")
    assert sent == [("weekly.csv", CATALOG.encode())] * 3
