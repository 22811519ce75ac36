"""The worker's way to the model gateway."""

from pathlib import Path
from typing import Any, Final

import httpx

from activities.artifacts.contracts import Texts
from activities.budgets.contracts import BudgetSpent
from activities.llm.contracts import (
    AttemptsExhausted,
    IdempotencyMismatch,
    ModelAnswer,
    ModelRefused,
    ModelRequest,
    ModelUnavailable,
    NoLocalModel,
    UnknownModel,
)
from temporal.errors import PrismError
from temporal.names import ErrorCode

# Above the provider's own timeout: the gateway's queue, and its import of litellm right after a start.
MARGIN_SECONDS: Final = 45.0
CONNECT_SECONDS: Final = 5.0
CONNECTIONS: Final = 256

_FAULTS: Final[dict[str, type[PrismError]]] = {
    ErrorCode.MODEL_REFUSED: ModelRefused,
    ErrorCode.UNKNOWN_MODEL: UnknownModel,
    ErrorCode.MODEL_UNAVAILABLE: ModelUnavailable,
    ErrorCode.IDEMPOTENCY_MISMATCH: IdempotencyMismatch,
    ErrorCode.BUDGET_SPENT: BudgetSpent,
    ErrorCode.NO_LOCAL_MODEL: NoLocalModel,
}


class GatewayCompletion:
    """Asks the gateway over its Unix socket.

    Args:
        socket: Path of the socket.
        texts: Where large prompts are read from: the gateway gets every prompt by value.
    """

    def __init__(self, socket: Path, texts: Texts) -> None:
        self._texts = texts
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=str(socket),
                limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            ),
            base_url="http://gateway",
        )

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the gateway's answer.

        Raises:
            ModelRefused: Retrying cannot help.
            IdempotencyMismatch: The key stands for another request.
            UnknownModel: The group is not configured.
            NoLocalModel: Only local models may be asked, and none may answer.
            BudgetSpent: The call would cost more than is left of a budget.
            AttemptsExhausted: As many requests were sent to providers as the row allows.
            ModelUnavailable: The provider or the gateway could not answer now.
        """
        prompt = request.prompt.model_copy(update={"inline": await self._texts.read(request.prompt)})
        timeout = httpx.Timeout(request.timeout + MARGIN_SECONDS, connect=CONNECT_SECONDS)
        try:
            response = await self._client.post(
                "/v1/complete",
                content=request.model_copy(update={"prompt": prompt}).model_dump_json(),
                headers={"content-type": "application/json"},
                timeout=timeout,
            )
        except httpx.HTTPError as error:
            raise ModelUnavailable(f"the model gateway does not answer: {error or type(error).__name__}") from error
        if response.is_success:
            return ModelAnswer.model_validate_json(response.content)
        raise _fault(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _fault(response: httpx.Response) -> PrismError:
    try:
        error: dict[str, Any] = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ModelUnavailable(f"the model gateway answered {response.status_code}")
    fault = _FAULTS.get(error.get("code", ""), ModelUnavailable)
    if fault is ModelUnavailable and not error.get("retryable", True):
        fault = AttemptsExhausted
    return fault(str(error.get("message", "")), **error.get("details", {}))
