"""Model calls through litellm; its own retries are off, as Temporal owns retrying."""

import asyncio
import importlib
import os
import time
from typing import Any, Final, Protocol

from activities.artifacts.contracts import Texts
from activities.llm.contracts import ModelAnswer, ModelRefused, ModelRequest, ModelUnavailable
from activities.llm.groups import Deployment, ModelGroups

_REFUSED: Final = (
    "AuthenticationError",
    "BadRequestError",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "NotFoundError",
    "PermissionDeniedError",
    "UnprocessableEntityError",
    "UnsupportedParamsError",
)
_MESSAGE_LIMIT: Final = 500


class LocalEndpoint(Protocol):
    """Where the embedded model answers."""

    async def api_base(self) -> str:
        """Return its URL, started if need be."""
        ...


class LitellmCompletion:
    """Asks the provider of a row's model group, exactly once per call.

    Args:
        groups: Which names there are and who answers them.
        texts: Where prompts come from and large answers go.
        embedded: The embedded model.
    """

    def __init__(self, groups: ModelGroups, texts: Texts, embedded: LocalEndpoint) -> None:
        self._groups = groups
        self._texts = texts
        self._embedded = embedded
        self._litellm: asyncio.Future[Any] | None = None

    def load(self) -> "asyncio.Future[Any]":
        """Begin to import litellm in a thread; calls that come meanwhile wait for it.

        The import takes eight to ten seconds and 180 MB, so nothing but the gateway does it.
        """
        if self._litellm is None:
            self._litellm = asyncio.ensure_future(asyncio.to_thread(_import_litellm))
        return self._litellm

    @property
    def loaded(self) -> bool:
        """Whether a call would start at once."""
        return self._litellm is not None and self._litellm.done()

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Make one call.

        Raises:
            UnknownModel: The group is not configured.
            ModelRefused: The provider will answer this request the same way each time.
            ModelUnavailable: The provider could not answer now.
        """
        deployment = self._groups.find(request.group)
        litellm = await self.load()
        arguments = await self._arguments(deployment, request)
        started = time.monotonic()
        try:
            response = await litellm.acompletion(**arguments)
        except Exception as error:
            raise _fault(error, deployment) from None
        milliseconds = round((time.monotonic() - started) * 1000)
        return await self._answer(litellm, deployment, response, milliseconds)

    async def _arguments(self, deployment: Deployment, request: ModelRequest) -> dict[str, Any]:
        messages = [{"role": "user", "content": await self._texts.read(request.prompt)}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        key = deployment.api_key
        return {
            "model": deployment.model,
            "messages": messages,
            "api_base": await self._embedded.api_base() if deployment.local else deployment.api_base,
            "api_key": key.get_secret_value() if key else "none",
            "max_tokens": request.max_tokens,
            "timeout": request.timeout,
            "num_retries": 0,
            "max_retries": 0,
            # Providers that know the header answer a repeated request without charging for it.
            "extra_headers": {"Idempotency-Key": request.step.key},
        }

    async def _answer(
        self,
        litellm: Any,
        deployment: Deployment,
        response: Any,
        milliseconds: int,  # noqa: ANN401
    ) -> ModelAnswer:
        try:
            choice = response.choices[0]
            text = choice.message.content or ""
            finish = choice.finish_reason or ""
        except (AttributeError, IndexError, TypeError) as error:
            raise ModelUnavailable(f"{deployment.model} sent an answer without a message") from error
        usage = getattr(response, "usage", None)
        return ModelAnswer(
            output=await self._texts.pack(text),
            group=deployment.group,
            model=deployment.model,
            prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
            completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
            cost_usd=0.0 if deployment.local else _price(litellm, response, deployment),
            latency_ms=milliseconds,
            finish_reason=finish,
        )


def _import_litellm() -> Any:  # noqa: ANN401 -- a module
    # Without this the price table is fetched from the network at import.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    litellm = importlib.import_module("litellm")
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    litellm.num_retries = 0
    return litellm


def _price(litellm: Any, response: Any, deployment: Deployment) -> float:  # noqa: ANN401
    if deployment.api_base:
        return 0.0
    try:
        return float(litellm.completion_cost(completion_response=response, model=deployment.model))
    except Exception:  # noqa: BLE001 -- litellm raises bare Exception for a model without a price
        return 0.0


def _fault(error: Exception, deployment: Deployment) -> ModelRefused | ModelUnavailable:
    message = f"{deployment.model}: {_scrubbed(str(error), deployment)}"
    if type(error).__name__ in _REFUSED:
        return ModelRefused(message, model=deployment.model)
    details: dict[str, Any] = {"model": deployment.model}
    headers = getattr(error, "litellm_response_headers", None) or {}
    after = headers.get("retry-after")
    if after is not None and after.isdecimal():
        details["retry_after"] = int(after)
    return ModelUnavailable(message, **details)


def _scrubbed(message: str, deployment: Deployment) -> str:
    """Return a provider's message without the key, which some providers repeat."""
    if deployment.api_key:
        message = message.replace(deployment.api_key.get_secret_value(), "***")
    return message[:_MESSAGE_LIMIT]
