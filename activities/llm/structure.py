"""How a provider is asked for JSON that fits a schema: as a part of the request where it takes that, else in words."""

import json
from typing import Any, Final

from activities.llm.contracts import ModelRequest
from activities.llm.groups import Deployment

# OpenAI wants a name; it says nothing.
_NAME: Final = "answer"


class Structure:
    """The structure that one answer is to have.

    Args:
        litellm: Its bundled table knows which models take a schema.
        deployment: Who is asked.
        request: What is asked.
    """

    def __init__(self, litellm: Any, deployment: Deployment, request: ModelRequest) -> None:  # noqa: ANN401 -- a module
        self._deployment = deployment
        self._schema = request.output_schema
        # Some vendors have an answer that fits by a tool of its own, which tools that may be called get in the way of.
        self._taken = self._schema is not None and not request.tools and _takes_schema(litellm, deployment)

    @property
    def parameters(self) -> dict[str, Any]:
        """What goes into the request besides messages."""
        if self._schema is None or not self._taken:
            return {}
        schema = {"name": _NAME, "schema": self._schema, "strict": _is_strict(self._schema)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def told(self, system: str) -> str:
        """Return the system prompt, with the schema in words where the model would not see it otherwise."""
        # llama.cpp makes a grammar of it: the model is held to it, and does not know it.
        if self._schema is None or (self._taken and not self._deployment.local):
            return system
        schema = json.dumps(self._schema, ensure_ascii=False)
        asked = f"Answer with one JSON object and nothing else. It fits this JSON schema:\n{schema}"
        return f"{system}\n\n{asked}" if system else asked


def _takes_schema(litellm: Any, deployment: Deployment) -> bool:  # noqa: ANN401 -- a module
    if deployment.json_schema is not None:
        return deployment.json_schema
    return bool(litellm.supports_response_schema(deployment.model))


def _is_strict(schema: object) -> bool:
    """Tell whether OpenAI can hold a model to a schema: every object has all of its properties, and no others."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if "properties" in schema or schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", [])) != set(properties):
            return False
        return all(map(_is_strict, properties.values()))
    return all(map(_is_strict, schema.values()))
