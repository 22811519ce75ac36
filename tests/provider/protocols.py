"""How vendors word an answer: OpenAI's chat completions and responses, Anthropic's messages."""

import json
from enum import StrEnum
from typing import Any

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
# What litellm has Anthropic's older models call for an answer that fits a schema.
JSON_TOOL = "json_tool_call"


class Protocol(StrEnum):
    """A vendor's protocol, by the end of its path."""

    CHAT = "/chat/completions"
    RESPONSES = "/responses"
    ANTHROPIC = "/v1/messages"


def protocol_of(path: str) -> Protocol | None:
    """Return the protocol that a path is of."""
    return next((protocol for protocol in Protocol if path.endswith(protocol)), None)


def prompt_of(body: dict[str, Any]) -> str:
    """Return the last thing that was said, whatever the protocol."""
    given = body.get("messages", body.get("input"))
    last = given[-1] if isinstance(given, list) else given
    content = last.get("content", last.get("output")) if isinstance(last, dict) else last
    if not isinstance(content, list):
        return str(content)
    parts = (one.get("text", one.get("content", "")) for one in content)
    return "".join(part if isinstance(part, str) else json.dumps(part) for part in parts)


def answer_of(
    protocol: Protocol, body: dict[str, Any], text: str, calls: list[dict[str, Any]], number: int
) -> dict[str, Any]:
    """Return an answer: a text, or the tools that are to be called first."""
    word = {Protocol.CHAT: _chat, Protocol.RESPONSES: _responses, Protocol.ANTHROPIC: _anthropic}[protocol]
    return word(body, text, calls, number)


def _chat(body: dict[str, Any], text: str, calls: list[dict[str, Any]], number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if calls else text}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {"name": call["name"], "arguments": _worded(call)},
            }
            for place, call in enumerate(calls)
        ]
    choice = {"index": 0, "finish_reason": "tool_calls" if calls else "stop", "message": message}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1,
        "model": body.get("model", "stub"),
        "choices": [choice],
        "usage": USAGE,
    }


def _anthropic(body: dict[str, Any], text: str, calls: list[dict[str, Any]], number: int) -> dict[str, Any]:
    forced = (body.get("tool_choice") or {}).get("name") == JSON_TOOL
    wanted = [{"name": JSON_TOOL, "arguments": json.loads(text)}] if forced else calls
    blocks = [
        {"type": "tool_use", "id": f"toolu_{number}_{place}", "name": call["name"], "input": call["arguments"]}
        for place, call in enumerate(wanted)
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks or [{"type": "text", "text": text}],
        "stop_reason": "tool_use" if wanted else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": USAGE["prompt_tokens"], "output_tokens": USAGE["completion_tokens"]},
    }


def _responses(body: dict[str, Any], text: str, calls: list[dict[str, Any]], number: int) -> dict[str, Any]:
    said = {
        "type": "message",
        "id": f"msg_{number}",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
    wanted = [
        {
            "type": "function_call",
            "id": f"fc_{number}_{place}",
            "call_id": f"call_{number}_{place}",
            "name": call["name"],
            "arguments": _worded(call),
            "status": "completed",
        }
        for place, call in enumerate(calls)
    ]
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body.get("model", "stub"),
        "output": wanted or [said],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "temperature": 1.0,
        "top_p": 1.0,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "usage": {
            "input_tokens": USAGE["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": USAGE["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": USAGE["total_tokens"],
        },
    }


def _worded(call: dict[str, Any]) -> str:
    arguments = call["arguments"]
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
