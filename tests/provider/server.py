"""A vendor's model API on loopback: OpenAI chat completions, with scripted faults, counting every request.

It is a process of its own, so that it goes on counting while Prism's parts are killed. Plain asyncio keeps its
cost out of the benchmarks.
"""

import asyncio
import json
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass
class Vendor:
    """What the vendor saw, and what it is to do next.

    Faults, one per request, in order: ``429``, ``500``, ``401``, ``400``, ``malformed``, ``html``, ``cut``, ``hang``,
    ``empty`` or ``ok``.
    """

    delay: float = 0.0
    faults: deque[str] = field(default_factory=deque)
    keys: Counter[str] = field(default_factory=Counter)
    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=50))
    answers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    answered: int = 0

    def answer(self, body: dict[str, Any]) -> str:
        prompt = body["messages"][-1]["content"]
        for marker, text in self.answers.items():
            if marker in prompt:
                return text
        return f"Answer to a prompt of {len(prompt)} characters."

    def report(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "answered": self.answered,
            "keys": dict(self.keys),
            "bodies": list(self.bodies),
        }

    def script(self, orders: dict[str, Any]) -> None:
        self.delay = orders.get("delay", self.delay)
        self.answers.update(orders.get("answers", {}))
        self.faults.extend(orders.get("faults", []))
        if orders.get("reset"):
            self.requests = self.answered = 0
            self.keys.clear()
            self.bodies.clear()
            self.faults.clear()


async def serve(vendor: Vendor, port: int) -> asyncio.Server:
    """Serve until closed."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await one(vendor, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(connection, "127.0.0.1", port)


async def one(vendor: Vendor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; returns whether the connection goes on."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    if path == "/_calls":
        return await send(writer, 200, json.dumps(vendor.report()))
    if path == "/_script":
        vendor.script(json.loads(body))
        return await send(writer, 200, "{}")
    if method != "POST" or not path.endswith("/chat/completions"):
        return await send(writer, 404, '{"error": {"message": "no such route"}}')
    return await complete(vendor, writer, headers, json.loads(body))


async def complete(vendor: Vendor, writer: asyncio.StreamWriter, headers: dict[str, str], body: dict[str, Any]) -> bool:
    vendor.requests += 1
    vendor.keys[headers.get("idempotency-key", "")] += 1
    vendor.bodies.append(body)
    if vendor.delay:
        await asyncio.sleep(vendor.delay)
    fault = vendor.faults.popleft() if vendor.faults else "ok"
    if fault == "hang":
        await asyncio.sleep(3600)
    if fault == "cut":
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"choices"')
        await writer.drain()
        return False
    if fault.isdecimal():
        extra = "retry-after: 1\r\n" if fault == "429" else ""
        message = f"scripted {fault} for key {headers.get('authorization', '')}"
        return await send(writer, int(fault), json.dumps({"error": {"message": message}}), extra=extra)
    if fault == "malformed":
        return await send(writer, 200, '{"choices": [')
    if fault == "html":
        return await send(writer, 200, "<html>Welcome</html>", kind="text/html")
    text = "" if fault == "empty" else vendor.answer(body)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    answer = {
        "id": f"chatcmpl-{vendor.requests}",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model", "stub"),
        "choices": [choice],
        "usage": USAGE,
    }
    vendor.answered += 1
    return await send(writer, 200, json.dumps(answer))


async def send(
    writer: asyncio.StreamWriter, status: int, body: str, *, kind: str = "application/json", extra: str = ""
) -> bool:
    data = body.encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n{extra}\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
    return True


async def main(port: int) -> None:
    async with await serve(Vendor(), port) as server:
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 -- tells the parent the port
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
