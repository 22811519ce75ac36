"""What the gateway tells of itself: its health, groups, prices, answers on their way, and its cache."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from activities.budgets.contracts import Allowances
from activities.llm.answer_cache import AnswerCache
from activities.llm.cache_asking import PATH as CACHE
from activities.llm.cache_contracts import SharedAnswersUnavailable
from activities.llm.described import PATH as GROUPS
from activities.llm.described import described
from activities.llm.partial import PATH as PARTIAL
from activities.llm.partial import PartialAnswers
from activities.llm.price_list import PATH as PRICES
from activities.llm.price_list import price_list
from activities.llm.provider import LitellmProvider
from activities.llm.routing import Router
from temporal.names import ErrorCode
from temporal.redaction import PROCESS


def looks(
    provider: LitellmProvider,
    router: Router,
    partial_answers: PartialAnswers,
    cache: AnswerCache,
    allowances: Allowances,
) -> list[Route]:
    """Return the routes on which nothing is asked of a model."""

    async def partial(request: Request) -> Response:
        text = partial_answers.text(request.query_params.get("key", ""))
        return PlainTextResponse(text or "", status_code=404 if text is None else 200)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "loaded": provider.loaded})

    async def groups(_: Request) -> Response:
        return JSONResponse(await described(router, allowances))

    async def prices(request: Request) -> Response:
        listed = await price_list(router.groups, provider, (await request.json())["groups"])
        return Response(listed.model_dump_json(), media_type="application/json")

    async def counts(_: Request) -> Response:
        return Response(cache.counts.model_dump_json(), media_type="application/json")

    async def clear(_: Request) -> Response:
        try:
            await cache.clear()
        except SharedAnswersUnavailable as error:
            return envelope(ErrorCode.MODEL_UNAVAILABLE, str(error), status=503, retryable=True)
        return Response(status_code=204)

    return [
        Route(GROUPS, groups),
        Route(PARTIAL, partial),
        Route(PRICES, prices, methods=["POST"]),
        Route(CACHE, counts),
        Route(CACHE, clear, methods=["DELETE"]),
        Route("/healthz", health),
    ]


def envelope(
    code: ErrorCode,
    message: str,
    *,
    status: int,
    retryable: bool = False,
    details: dict[str, object] | None = None,
) -> Response:
    """Return a fault as the worker's side reads it."""
    # A provider may repeat what it was asked with.
    told, facts = PROCESS.redacted(message), PROCESS.redacted_values(details or {})
    error = {"code": code.value, "message": told, "retryable": retryable, "details": facts}
    return JSONResponse({"error": error}, status_code=status)
