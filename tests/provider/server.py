"""A vendor's model API on loopback: OpenAI's chat completions (Mistral's too) and responses, Anthropic's messages.

Faults are by script, or by the name of a model such as ``fault-429``, and every request is counted.
Vectors of texts are of a route of their own (``/embeddings``), with counts and faults of their own.

It is a process of its own, so that it goes on counting while Prism's parts are killed. Plain asyncio keeps its
cost out of the benchmarks.
"""

import asyncio
import hashlib
import json
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from tests.provider.protocols import USAGE, Protocol, answer_of, prompt_of, protocol_of


@dataclass
class Vendor:
    """What the vendor saw, and what it is to do next.

    Faults, one per request, in order: any status such as ``429``, ``malformed``, ``html``, ``cut`` (in the body),
    ``reset`` (before a byte), ``slow`` (a second), ``drip`` (the body never ends), ``hang``, ``empty``, ``odd_usage``,
    ``cut_stream`` (after two words), ``too_long`` or ``ok``. ``pause`` is what a streamed answer takes between its
    words. ``calls`` are the tools that the next answers want called, one list per answer to a request with tools.
    """

    delay: float = 0.0
    pause: float = 0.0
    faults: deque[str] = field(default_factory=deque)
    keys: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    authorizations: set[str] = field(default_factory=set)
    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=50))
    answers: dict[str, str] = field(default_factory=dict)
    calls: deque[list[dict[str, Any]]] = field(default_factory=deque)
    vectors: dict[str, list[float]] = field(default_factory=dict)
    embedding_faults: deque[str] = field(default_factory=deque)
    embedded: list[str] = field(default_factory=list)
    requests: int = 0
    answered: int = 0

    def answer(self, body: dict[str, Any]) -> str:
        prompt = prompt_of(body)
        for marker, text in self.answers.items():
            if marker in prompt:
                return text
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        return f"Answer to a prompt of {len(prompt)} characters, digest {digest}."

    def vector(self, text: str) -> list[float]:
        """The scripted vector of a text that holds its marker, else one that is like no other."""
        for marker, vector in self.vectors.items():
            if marker in text:
                return vector + [0.0] * (32 - len(vector))
        return [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()]

    def report(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "answered": self.answered,
            "keys": dict(self.keys),
            "models": dict(self.models),
            "authorizations": sorted(self.authorizations),
            "bodies": list(self.bodies),
            "embedded": self.embedded,
        }

    def script(self, orders: dict[str, Any]) -> None:
        self.delay = orders.get("delay", self.delay)
        self.pause = orders.get("pause", self.pause)
        self.answers.update(orders.get("answers", {}))
        self.faults.extend(orders.get("faults", []))
        self.calls.extend(orders.get("calls", []))
        self.vectors.update(orders.get("vectors", {}))
        self.embedding_faults.extend(orders.get("embedding_faults", []))
        if orders.get("reset"):
            self.requests = self.answered = 0
            self.keys.clear()
            self.models.clear()
            self.authorizations.clear()
            self.bodies.clear()
            self.faults.clear()
            self.calls.clear()
            self.vectors.clear()
            self.embedding_faults.clear()
            self.embedded.clear()


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
    if path.endswith("/embeddings"):
        return await embed(vendor, writer, json.loads(body))
    protocol = protocol_of(path)
    if method != "POST" or protocol is None:
        return await send(writer, 404, '{"error": {"message": "no such route"}}')
    return await complete(vendor, writer, headers, json.loads(body), protocol)


async def complete(
    vendor: Vendor,
    writer: asyncio.StreamWriter,
    headers: dict[str, str],
    body: dict[str, Any],
    protocol: Protocol,
) -> bool:
    vendor.requests += 1
    vendor.keys[headers.get("idempotency-key", "")] += 1
    vendor.authorizations.add(headers.get("authorization", ""))
    vendor.bodies.append(body)
    vendor.models[str(body.get("model"))] += 1
    if vendor.delay:
        await asyncio.sleep(vendor.delay)
    by_name = str(body.get("model")).partition("fault-")[2] or "ok"
    fault = vendor.faults.popleft() if vendor.faults else by_name
    if fault == "slow":
        await asyncio.sleep(1)
    if fault in BROKEN:
        return await BROKEN[fault](writer)
    if fault == "too_long":
        message = "This model's maximum context length is 10 tokens."
        error = {"message": message, "type": "invalid_request_error", "code": "context_length_exceeded"}
        return await send(writer, 400, json.dumps({"error": error}))
    if fault.isdecimal():
        extra = {"429": "retry-after: 1\r\n", "307": f"location: {protocol}\r\n"}.get(fault, "")
        message = f"scripted {fault} for key {headers.get('authorization', '')}"
        return await send(writer, int(fault), json.dumps({"error": {"message": message}}), extra=extra)
    text = "" if fault == "empty" else vendor.answer(body)
    if body.get("stream"):
        vendor.answered += 1
        return await stream(writer, body, text, pause=vendor.pause, cut_off=fault == "cut_stream")
    calls = vendor.calls.popleft() if body.get("tools") and vendor.calls else []
    answer = answer_of(protocol, body, text, calls, vendor.requests)
    if fault == "odd_usage":
        answer["usage"] = {"prompt_tokens": -1, "completion_tokens": None}
    vendor.answered += 1
    return await send(writer, 200, json.dumps(answer))


async def embed(vendor: Vendor, writer: asyncio.StreamWriter, body: dict[str, Any]) -> bool:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    vendor.embedded.extend(texts)
    fault = vendor.embedding_faults.popleft() if vendor.embedding_faults else "ok"
    if fault in BROKEN:
        return await BROKEN[fault](writer)
    if fault.isdecimal():
        return await send(writer, int(fault), json.dumps({"error": {"message": f"scripted {fault}"}}))
    vectors = [[] if fault == "empty" else vendor.vector(text) for text in texts]
    data = [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(vectors)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return await send(writer, 200, json.dumps({"object": "list", "data": data, "model": body["model"], "usage": usage}))


async def hang(_: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(3600)
    return False


async def reset(_: asyncio.StreamWriter) -> bool:
    return False


async def cut(writer: asyncio.StreamWriter) -> bool:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"choices"')
    await writer.drain()
    return False


async def malformed(writer: asyncio.StreamWriter) -> bool:
    return await send(writer, 200, '{"choices": [')


async def html(writer: asyncio.StreamWriter) -> bool:
    return await send(writer, 200, "<html>Welcome</html>", kind="text/html")


async def drip(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def stream(
    writer: asyncio.StreamWriter, body: dict[str, Any], text: str, *, pause: float = 0.0, cut_off: bool = False
) -> bool:
    """Send an answer word by word as server-sent events."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    words = [(word, None) for word in text.split(" ")]
    for number, (word, finish) in enumerate([*words, (None, "stop")]):
        delta = {} if word is None else {"role": "assistant", "content": word if number == 0 else f" {word}"}
        chunk = {
            "id": "chatcmpl-stream",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": body.get("model", "stub"),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }
        writer.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(pause)
        if cut_off and number == 1:
            return False
    if (body.get("stream_options") or {}).get("include_usage"):
        last = {"id": "chatcmpl-stream", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
        writer.write(f"data: {json.dumps(last | {'choices': [], 'usage': USAGE})}\n\n".encode())
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()
    return False


async def send(
    writer: asyncio.StreamWriter, status: int, body: str, *, kind: str = "application/json", extra: str = ""
) -> bool:
    data = body.encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n{extra}\r\n"
    writer.write(head.encode() + data)
    await writer.drain()
    return True


BROKEN = {"hang": hang, "reset": reset, "cut": cut, "malformed": malformed, "html": html, "drip": drip}


async def main(port: int) -> None:
    async with await serve(Vendor(), port) as server:
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 -- tells the parent the port
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
