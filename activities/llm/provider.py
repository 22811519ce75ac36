"""One request to one provider through litellm; its own retries and fallbacks are off, as the router counts requests."""

import asyncio
import contextlib
import importlib
import json
import os
import time
from typing import Any, Final, Protocol
from urllib.parse import quote

from activities.artifacts.contracts import Texts
from activities.llm.contracts import ModelAnswer, ModelRequest, ModelUnavailable
from activities.llm.conversation import messages, tool_parameters, wanted_calls
from activities.llm.groups import Deployment
from activities.llm.partial import Heard
from activities.llm.prices import Price, Prices
from activities.llm.provider_faults import provider_fault
from activities.llm.structure import Structure
from temporal.redaction import PROCESS

# The embedded model gives the same tokens a second to two calls as to twenty: more at once only time out together.
LOCAL_CALLS: Final = 2
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class LocalEndpoint(Protocol):
    """Where the embedded model answers."""

    async def api_base(self) -> str:
        """Return its URL, started if need be."""
        ...


class LitellmProvider:
    """Sends one request, exactly once.

    Args:
        texts: Where prompts come from and large answers go.
        embedded: The embedded model.
        prices: What tokens cost.
        streams_all: Whether vendors are asked for their answers piece by piece too. Every piece costs this process
            some processor time, the price of a text that a person sees grow.
    """

    def __init__(
        self,
        texts: Texts,
        embedded: LocalEndpoint,
        prices: Prices | None = None,
        *,
        streams_all: bool = False,
    ) -> None:
        self._streams_all = streams_all
        self._prices = prices or Prices()
        self._texts = texts
        self._embedded = embedded
        self._litellm: asyncio.Future[Any] | None = None
        self._local_turn = asyncio.Semaphore(LOCAL_CALLS)
        self._local: set[asyncio.Task[Any]] = set()

    def load(self) -> "asyncio.Future[Any]":
        """Begin to import litellm in a thread; calls that come meanwhile wait for it.

        The import takes eight to ten seconds and 180 MB, so nothing but the gateway does it.
        """
        if self._litellm is None or (self._litellm.done() and not self.loaded):
            self._litellm = asyncio.ensure_future(asyncio.to_thread(_import_litellm))
        return self._litellm

    @property
    def loaded(self) -> bool:
        """Whether a call would start at once."""
        future = self._litellm
        return future is not None and future.done() and not future.cancelled() and future.exception() is None

    async def complete(self, deployment: Deployment, request: ModelRequest, heard: Heard | None = None) -> ModelAnswer:
        """Send one request.

        Args:
            deployment: Whom to ask.
            request: What to ask.
            heard: Takes the pieces of the answer as they arrive, where the model gives it piece by piece.

        Raises:
            ModelRefused: The provider will answer this request the same way each time.
            ModelUnavailable: The provider could not answer now.
        """
        if not deployment.embedded:
            return await self._call(deployment, request, heard if self._streams_all else None)
        task = asyncio.current_task()
        if task is not None:
            self._local.add(task)
            task.add_done_callback(self._local.discard)
        # Waiting for a turn is not the model's time: the timeout starts with the call.
        async with self._local_turn:
            return await self._call(deployment, request, heard)

    async def most_usd(self, deployment: Deployment, request: ModelRequest) -> float:
        """Return the most that a request can cost, in US dollars; 0 for one that is free or has no price."""
        if deployment.embedded:
            return 0.0
        prompt = request.system + await self._texts.read(request.prompt)
        if request.tools:
            told = await messages(self._texts, request, request.system)
            prompt = json.dumps([told, await tool_parameters(self._texts, request)], ensure_ascii=False)
        return self._prices.most_usd(await self._loaded_litellm(), deployment, prompt, _longest(deployment, request))

    async def price(self, deployment: Deployment) -> Price | None:
        """Return what a million tokens cost; ``None`` where nobody knows."""
        return self._prices.price(None if deployment.embedded else await self._loaded_litellm(), deployment)

    def drop_local(self) -> None:
        """Cancel the calls of the embedded model: they cost nothing, so a stop need not wait for them."""
        for task in self._local:
            task.cancel()

    async def aclose(self) -> None:
        """Close the connections."""
        if self.loaded and self._litellm is not None:
            await self._litellm.result().aclient_session.aclose()

    async def _call(self, deployment: Deployment, request: ModelRequest, heard: Heard | None) -> ModelAnswer:
        litellm = await self._loaded_litellm()
        arguments = await self._arguments(deployment, request)
        started = time.monotonic()
        try:
            # litellm's own timeout bounds each read: a body that drips would never end.
            async with asyncio.timeout(request.timeout):
                response = await (_streamed(litellm, arguments, heard) if heard else litellm.acompletion(**arguments))
        except TimeoutError:
            message = f"{deployment.model} took longer than {request.timeout} s"
            raise ModelUnavailable(message, model=deployment.model) from None
        except ModelUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 -- litellm's faults share no base; each becomes ours
            raise provider_fault(error, deployment) from None
        return await self._answer(deployment, request, response, round((time.monotonic() - started) * 1000))

    async def _loaded_litellm(self) -> Any:  # noqa: ANN401 -- a module
        try:
            return await asyncio.shield(self.load())
        except ImportError as error:
            raise ModelUnavailable(f"litellm cannot be imported: {error}") from error

    async def _arguments(self, deployment: Deployment, request: ModelRequest) -> dict[str, Any]:
        structure = Structure(await self._loaded_litellm(), deployment, request)
        key = deployment.api_key
        return {
            "model": deployment.model,
            "messages": await messages(self._texts, request, structure.told(request.system)),
            "api_base": await self._embedded.api_base() if deployment.embedded else deployment.api_base,
            "api_key": key.get_secret_value() if key else "none",
            "max_tokens": _longest(deployment, request),
            "timeout": request.timeout,
            "num_retries": 0,
            "max_retries": 0,
            # Providers that know the header answer a repeated request without charging for it. Headers are ASCII.
            "extra_headers": {"Idempotency-Key": quote(request.step.key, safe="/:@+,=~ ")},
            **structure.parameters,
            **await tool_parameters(self._texts, request),
        }

    async def _answer(
        self,
        deployment: Deployment,
        request: ModelRequest,
        response: Any,  # noqa: ANN401 -- litellm's
        milliseconds: int,
    ) -> ModelAnswer:
        """Read a response leniently: it is paid for. One without text is an answer too; asking again costs again."""
        try:
            choice = response.choices[0]
            text = choice.message.content or ""
            finish = choice.finish_reason or ""
        except (AttributeError, IndexError, TypeError) as error:
            message = f"{deployment.model} sent an answer without a message"
            raise ModelUnavailable(message, model=deployment.model) from error
        calls = await wanted_calls(self._texts, request, choice.message)
        # The next turn refers to what was said in this one.
        pack = self._texts.keep if calls else self._texts.pack
        usage = getattr(response, "usage", None)
        prompt_tokens = _count(getattr(usage, "prompt_tokens", 0))
        completion_tokens = _count(getattr(usage, "completion_tokens", 0))
        return ModelAnswer(
            # A lone surrogate has no UTF-8 and could not be stored.
            # A provider may repeat what it was asked with, and its answers are kept.
            output=await pack(PROCESS.redacted(text.encode(errors="replace").decode())),
            group=deployment.group,
            model=deployment.name,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._prices.paid_usd(deployment, response, prompt_tokens, completion_tokens),
            latency_ms=milliseconds,
            finish_reason=finish,
            calls=calls,
            local=deployment.local,
            deployment=deployment.group,
        )


async def _streamed(litellm: Any, arguments: dict[str, Any], heard: Heard) -> Any:  # noqa: ANN401 -- its response
    """Return the whole response of a call whose pieces are told as they arrive."""
    pieces = []
    stream = await litellm.acompletion(**arguments, stream=True, stream_options={"include_usage": True})
    async for piece in stream:
        pieces.append(piece)
        if piece.choices and piece.choices[0].delta.content:
            heard(piece.choices[0].delta.content)
    if not (stream.received_finish_reason or stream.intermittent_finish_reason):
        # litellm takes the end of the connection for the end of the answer.
        message = f"{arguments['model']} broke off in the middle of its answer"
        raise ModelUnavailable(message, model=arguments["model"])
    response = litellm.stream_chunk_builder(pieces, messages=arguments["messages"])
    # A whole response carries its price; one put together does not, and its model may have none.
    with contextlib.suppress(Exception):
        response._hidden_params["response_cost"] = litellm.completion_cost(response, model=arguments["model"])  # noqa: SLF001 -- where litellm itself puts it
    return response


def _import_litellm() -> Any:  # noqa: ANN401 -- a module
    # Without this the price table is fetched from the network at import.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # The embedded model is not behind the company's proxy.
    outside = {name for name in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if name}
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(sorted(outside | set(_LOOPBACK)))
    litellm = importlib.import_module("litellm")
    # A second of imports that would else fall into the first call, and hold up the event loop with it.
    importlib.import_module("openai.resources")
    client = importlib.import_module("litellm.llms.openai.common_utils").BaseOpenAILLM.get_async_http_client()
    client.follow_redirects = False
    _refuse_redirects(importlib.import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler)
    settings = {
        "telemetry": False,
        "suppress_debug_info": True,
        "num_retries": 0,
        # Its requests for vectors take 0 as nothing said, and then this.
        "DEFAULT_MAX_RETRIES": 0,
        # With it, a 422 is answered by a second request without the parameters that the provider named.
        "drop_params": False,
        "aclient_session": client,
    }
    for name, value in settings.items():
        setattr(litellm, name, value)
    return litellm


def _refuse_redirects(handler: Any) -> None:  # noqa: ANN401 -- a class of litellm's
    """Have litellm's own clients, which ask all but OpenAI, follow no redirect.

    It would carry the prompt to a host that nobody configured; litellm has no setting for it.
    """
    create = handler.create_client

    def created(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- as litellm's
        client = create(*args, **kwargs)
        client.follow_redirects = False
        return client

    handler.create_client = created


def _count(value: object) -> int:
    return max(value, 0) if isinstance(value, int) else 0


def _longest(deployment: Deployment, request: ModelRequest) -> int:
    return min(request.max_tokens, deployment.max_tokens or request.max_tokens)
