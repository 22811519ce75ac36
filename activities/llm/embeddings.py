"""Vectors of texts through litellm, or from any endpoint that speaks OpenAI's protocol."""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

from pydantic import SecretStr

from activities.llm.similar_contracts import Embedding, EmbeddingsUnavailable
from temporal.redaction import PROCESS

# Asked once, while a row waits: a model that is asked in vain costs less than patience for all.
TIMEOUT_SECONDS: Final = 5.0
_FAULT_CHARS: Final = 300


class LitellmEmbeddings:
    """Asks one deployment for vectors, once each: asking again would be harmless, and is left to the next request.

    Args:
        model: ``provider/model`` as litellm spells it; with ``url``, what the endpoint calls its model.
        url: An OpenAI-compatible endpoint, up to ``/v1``; empty for the provider's own.
        key: Its key; without one litellm looks for the provider's usual variable.
        local: Whether what it is given stays in the house.
        load: Gives the imported litellm.
    """

    def __init__(
        self, model: str, url: str, key: SecretStr | None, *, local: bool, load: Callable[[], "asyncio.Future[Any]"]
    ) -> None:
        self._model = model
        self._url = url
        self._key = key
        self._local = local
        self._load = load

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self._model} {self._url}".strip()

    @property
    def local(self) -> bool:
        """Whether nothing that it is given leaves the house."""
        return self._local

    async def of(self, text: str) -> Embedding:
        """Return the vector of a text.

        Raises:
            EmbeddingsUnavailable: There is none, whatever the reason.
        """
        try:
            # The import of litellm takes seconds once; they are not the deployment's.
            litellm = await asyncio.shield(self._load())
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await litellm.aembedding(**self._arguments(text))
        except TimeoutError:
            raise EmbeddingsUnavailable(f"{self._model} took longer than {TIMEOUT_SECONDS:.0f} s") from None
        except Exception as error:  # noqa: BLE001 -- litellm's faults share no base; each is a miss
            # A provider may repeat the key that it refuses.
            told = PROCESS.redacted(str(error))[:_FAULT_CHARS]
            raise EmbeddingsUnavailable(f"{self._model}: {type(error).__name__}: {told}") from None
        price = getattr(response, "_hidden_params", {}).get("response_cost")
        return Embedding(vector=_unit(response), cost_usd=0.0 if self._url or not price else max(float(price), 0.0))

    def _arguments(self, text: str) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self._model,
            "input": [text],
            "timeout": TIMEOUT_SECONDS,
            "num_retries": 0,
            "max_retries": 0,
        }
        if self._url:
            arguments |= {"model": f"openai/{self._model.removeprefix('openai/')}", "api_base": self._url}
        if arguments["model"].startswith("openai/"):
            # Its client would ask for base64, which not all that speak its protocol know.
            arguments["encoding_format"] = "float"
        if self._key or self._url:
            arguments["api_key"] = self._key.get_secret_value() if self._key else "none"
        return arguments


def _unit(response: Any) -> tuple[float, ...]:  # noqa: ANN401 -- litellm's
    """Return the vector of a response, of length 1."""
    try:
        (one,) = response.data
        vector = [float(number) for number in one["embedding"]]
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise EmbeddingsUnavailable("the deployment of embeddings sent no vector") from error
    length = math.sqrt(sum(number * number for number in vector))
    if not length or not math.isfinite(length):
        raise EmbeddingsUnavailable("the deployment of embeddings sent a vector without a direction")
    return tuple(number / length for number in vector)
