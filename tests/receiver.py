"""A receiver of webhooks on a real socket that behaves by script."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

Answer = tuple[int, dict[str, str]] | Literal["hang", "cut", "garbage"]


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Answers by script, then 204 to everything; remembers every request."""

    port: int
    script: list[Answer]
    requests: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=hunter2"

    @property
    def effects(self) -> Counter[str]:
        """How often each notification was told to a receiver that acts once per key."""
        once = {received.key: received.document for received in self.requests}
        return Counter(item["key"] for document in once.values() for item in document["notifications"])


@asynccontextmanager
async def receiver(script: Iterable[Answer] = ()) -> AsyncIterator[Receiver]:
    """Listen on a free port of loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                found.requests.append(await _request(reader))
                found.arrived.set()
                answer: Answer = found.script.pop(0) if found.script else (204, {})
                if answer == "cut":
                    break
                if answer == "hang":
                    await reader.read()
                    break
                if answer == "garbage":
                    writer.write(b"\x00\x01 this is not HTTP\r\n\r\n")
                    break
                status, headers = answer
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n{lines}\r\n".encode())
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found = Receiver(server.sockets[0].getsockname()[1], list(script))
    try:
        yield found
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): value for name, _, value in pairs}
    return Received(headers, await reader.readexactly(int(headers["content-length"])))
