"""A request as a chat in OpenAI's words, which litellm translates: messages, tools, and what a model wants called."""

import hashlib
import json
from typing import Any, Final

from activities.artifacts.contracts import Text, Texts
from activities.llm.contracts import SHOWN_RESULT_CHARS, ModelRequest, ToolCall, ToolResult, Turn
from catalogs.tools import Tool
from temporal.redaction import PROCESS

# More calls than this in one answer are a model that is stuck.
MOST_CALLS: Final = 16
_NAME_CHARS: Final = 100
# Mistral takes ids of nine letters and digits, and no others.
_ID_CHARS: Final = 9


async def messages(texts: Texts, request: ModelRequest, system: str) -> list[dict[str, Any]]:
    """Return the chat so far."""
    told: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    told.append({"role": "user", "content": await texts.read(request.prompt)})
    for turn in request.turns:
        told += await _messages_of(texts, turn)
    return told


async def tool_parameters(texts: Texts, request: ModelRequest) -> dict[str, Any]:
    """Return what goes into the request of the tools that the model may call."""
    if not request.tools:
        return {}
    tools = [await _function(texts, digest) for digest in request.tools.values()]
    # What was called before stays known, or the vendor could not read the chat.
    return {"tools": tools, "tool_choice": "none" if request.closing else "auto"}


async def wanted_calls(texts: Texts, request: ModelRequest, message: Any) -> tuple[ToolCall, ...]:  # noqa: ANN401 -- litellm's
    """Return the calls that an answer wants, as far as it may want any."""
    wanted = getattr(message, "tool_calls", None) or []
    if not request.tools or request.closing:
        return ()
    calls = []
    for number, one in enumerate(wanted[:MOST_CALLS]):
        function = getattr(one, "function", None)
        name = str(getattr(function, "name", None) or "")[:_NAME_CHARS]
        given = getattr(function, "arguments", None)
        arguments = given if isinstance(given, str) else json.dumps(given or {})
        calls.append(
            ToolCall(
                id=_id_of(request.step.key, number),
                name=PROCESS.redacted(name),
                arguments=await texts.keep(_storable(arguments)),
            )
        )
    return tuple(calls)


async def _messages_of(texts: Texts, turn: Turn) -> list[dict[str, Any]]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": _as_object(await texts.read(call.arguments))},
        }
        for call in turn.calls
    ]
    said = await texts.read(turn.said)
    results = [
        {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": await _told(texts, result)}
        for call, result in zip(turn.calls, turn.results, strict=True)
    ]
    return [{"role": "assistant", "content": said or None, "tool_calls": calls}, *results]


async def _told(texts: Texts, result: ToolResult) -> str:
    printed = await texts.read(result.text) if result.text else ""
    if len(printed) > SHOWN_RESULT_CHARS:
        printed = f"{printed[:SHOWN_RESULT_CHARS]}\n[cut: {len(printed)} characters in all]"
    return "\n".join(part for part in (f"error: {result.error}" if result.error else "", printed) if part)


async def _function(texts: Texts, digest: str) -> dict[str, Any]:
    tool = Tool.model_validate_json(await texts.read(Text(digest=digest, size=0)))
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _as_object(arguments: str) -> str:
    """Return arguments that a vendor takes back: what was no JSON object was told to the model as an error."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _storable(text: str) -> str:
    # A lone surrogate has no UTF-8; a provider may repeat what it was asked with.
    return PROCESS.redacted(text.encode(errors="replace").decode())


def _id_of(key: str, number: int) -> str:
    """Return an id of our own: the next turn may go to another vendor, which has other rules for ids."""
    return hashlib.sha256(f"{key}/{number}".encode()).hexdigest()[:_ID_CHARS]
