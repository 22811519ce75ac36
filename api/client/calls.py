"""Every request of the API and how its answer is read: shared by the two clients."""

import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from activities.artifacts.contracts import ArtifactCorrupt, digest_of
from activities.audit.contracts import AuditReport
from activities.records.contracts import RowState, RunState
from activities.records.views import NotificationView, RowDetail, RunView
from api.agent_models import Agents, Tools
from api.client.errors import PrismApiError
from api.models import Accepted, AuditPage, Health, Notifications, Rows, Runs, Seen, Submitted, Validation, Verification
from api.review_models import BulkDecided, Decided, ReviewDetail, Reviews
from api.system_models import System
from temporal.names import ErrorCode

Answer = TypeVar("Answer")
Model = TypeVar("Model", bound=BaseModel)
Catalog = Path | bytes | str
Form = Literal["csv", "jsonl", "json"]
ReportForm = Literal["html", "csv"]

PREFIX = "/api/v1"
# A large catalog is compiled before the answer; no other request takes long.
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
PROBE_TIMEOUT = httpx.Timeout(5.0)
SUBMIT_TIMEOUT = httpx.Timeout(300.0, connect=5.0)
# What can break after a request was sent; repeated only where that does no harm.
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
ATTEMPTS = 3


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request.

    Args:
        parse: Turns a successful answer into its value.
        repeatable: Whether sending it twice is the same as sending it once.
        also: A status besides the successes whose body is the answer.
    """

    method: str
    path: str
    parse: Callable[[httpx.Response], Answer]
    repeatable: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    also: int = 0

    def read(self, response: httpx.Response) -> Answer:
        """Return the value of an answer.

        Raises:
            PrismApiError: It is not a success, or not what Prism answers.
        """
        if not response.is_success and response.status_code != self.also:
            raise PrismApiError.of(response)
        try:
            return self.parse(response)
        except ValidationError as error:
            raise PrismApiError(
                f"{response.request.url} answered something else than Prism does: is it Prism's API, of this version?",
                code=ErrorCode.API_UNREACHABLE,
                status=response.status_code,
            ) from error


def client_options(url: str, token: str | None) -> dict[str, Any]:
    """Return how an ``httpx`` client reaches the API; proxies of the environment are not for it, its token is."""
    token = token or os.environ.get("PRISM_API_TOKEN")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": TIMEOUT, "trust_env": False}


def repeated(call: Call[Any], error: httpx.TransportError, attempt: int) -> bool:
    """Return whether a request whose connection broke is sent again."""
    return call.repeatable and isinstance(error, BROKEN) and attempt < ATTEMPTS


def health() -> Call[Health]:
    """Whether the process serves."""
    return Call("GET", "/healthz", _model(Health), repeatable=True, options={"timeout": PROBE_TIMEOUT})


def system() -> Call[System]:
    """Queues, policies, spending, settings."""
    return Call("GET", f"{PREFIX}/system", _model(System), repeatable=True)


def agents() -> Call[Agents]:
    """Agents and collections of documents."""
    return get("/agents", Agents)


def tools() -> Call[Tools]:
    """Programs that models may have run."""
    return get("/tools", Tools)


def ready() -> Call[Health]:
    """Whether the process and what it needs answer; a part that does not is named, not raised."""
    return Call("GET", "/readyz", _model(Health), repeatable=True, also=httpx.codes.SERVICE_UNAVAILABLE)


def submit(  # noqa: PLR0913 -- each is a word of the API
    catalog: Catalog,
    *,
    title: str | None,
    map: Mapping[str, str] | None,  # noqa: A002 -- its name in the API
    literal: bool,
    skip_invalid: bool,
    concurrency: int | None,
    budget_usd: float | None,
    pin_policy: bool,
    tool_rounds: int | None,
    tool_calls: int | None,
    run: str | None,
    idempotency_key: str | None,
) -> Call[Submitted]:
    """Start a run. Each call has its own key, so a repetition after a broken connection starts nothing twice."""
    options = _catalog(catalog, title, map, literal=literal, skip_invalid=skip_invalid)
    options["params"] |= _given(concurrency=concurrency, budget_usd=budget_usd, pin_policy=pin_policy or None, run=run)
    options["params"] |= _given(tool_rounds=tool_rounds, tool_calls=tool_calls)
    options["headers"]["idempotency-key"] = idempotency_key or uuid.uuid4().hex
    return Call("POST", f"{PREFIX}/runs", _model(Submitted), repeatable=True, options=options)


def validate(
    catalog: Catalog,
    *,
    map: Mapping[str, str] | None,  # noqa: A002 -- its name in the API
    literal: bool,
    skip_invalid: bool,
    budget_usd: float | None,
) -> Call[Validation]:
    """Say all that is wrong with a catalog, and what it would cost."""
    options = _catalog(catalog, None, map, literal=literal, skip_invalid=skip_invalid)
    options["params"] |= _given(budget_usd=budget_usd)
    return Call("POST", f"{PREFIX}/catalogs/validate", _model(Validation), repeatable=True, options=options)


def runs(state: RunState | str | None, text: str, before: str, limit: int) -> Call[Runs]:
    """A page of runs."""
    return get("/runs", Runs, state=state, q=text, before=before, limit=limit)


def run(run: str) -> Call[RunView]:
    """A run."""
    return get(_run(run), RunView)


def rows(run: str, state: RowState | str | None, board: str, text: str, after: int, limit: int) -> Call[Rows]:
    """A page of rows."""
    return get(f"{_run(run)}/rows", Rows, state=state, board=board, q=text, after=after, limit=limit)


def row(run: str, row: str) -> Call[RowDetail]:
    """A row with its steps."""
    return get(_row(run, row), RowDetail)


def results(run: str, form: Form) -> Call[bytes]:
    """Every row with its output."""
    options = {"params": {"format": form}}
    return Call("GET", f"{PREFIX}{_run(run)}/results", _content, repeatable=True, options=options)


def proof(run: str, row: str) -> Call[bytes]:
    """The proof of a run, or of one of its rows."""
    options = {"params": {"row": row}} if row else {}
    return Call("GET", f"{PREFIX}{_run(run)}/proof", _content, repeatable=True, options=options)


def compliance(run: str, form: ReportForm) -> Call[bytes]:
    """The compliance report of a run."""
    options = {"params": {"format": form}}
    return Call("GET", f"{PREFIX}{_run(run)}/compliance", _content, repeatable=True, options=options)


def steer(run: str, act: str, body: dict[str, Any]) -> Call[Accepted]:
    """Pause, resume, cancel, retry, skip or change the concurrency of a run."""
    return Call("POST", f"{PREFIX}{_run(run)}/{act}", _model(Accepted), options={"json": body} if body else {})


def reviews(**asked: Any) -> Call[Reviews]:  # noqa: ANN401 -- values of a query
    """Reviews that fit, the most urgent first."""
    return get("/reviews", Reviews, **asked)


def review(run: str, row: str) -> Call[ReviewDetail]:
    """Every round of a row's review."""
    return get(f"{_run(run)}/reviews/{quote(row, safe='/')}", ReviewDetail)


def decide(run: str, row: str, key: str | None, **decision: Any) -> Call[Decided]:  # noqa: ANN401 -- JSON values
    """Decide on a row's review; under its key a repetition is the same decision."""
    body = {name: value for name, value in decision.items() if value not in (None, "", [], ())}
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    options: dict[str, Any] = {"json": body, "headers": headers}
    return Call("POST", f"{PREFIX}{_row(run, row)}/decide", _model(Decided), repeatable=True, options=options)


def decide_many(**decision: Any) -> Call[BulkDecided]:  # noqa: ANN401 -- JSON values
    """Decide on several reviews at once."""
    body = {name: value for name, value in decision.items() if value not in (None, "", [], ())}
    return Call("POST", f"{PREFIX}/reviews/decide", _model(BulkDecided), options={"json": body})


def verify(run: str | None, row: str | None, envelope: str | None) -> Call[Verification]:
    """Verify a row's envelope, or one by digest."""
    body = {"run": run, "row": row, "envelope": envelope}
    options = {"json": {name: value for name, value in body.items() if value}}
    return Call("POST", f"{PREFIX}/provenance/verify", _model(Verification), repeatable=True, options=options)


def public_key() -> Call[bytes]:
    """The key that verifies envelopes."""
    return Call("GET", f"{PREFIX}/provenance/key", _content, repeatable=True)


def notifications(
    recipient: str, run: str, limit: int, *, mine: bool = False, unread: bool = False
) -> Call[list[NotificationView]]:
    """Notifications, newest first."""

    def parse(response: httpx.Response) -> list[NotificationView]:
        return Notifications.model_validate_json(response.content).notifications

    params = _given(recipient=recipient, run=run, limit=limit)
    params |= {name: "true" for name, wanted in (("mine", mine), ("unread", unread)) if wanted}
    return Call("GET", f"{PREFIX}/notifications", parse, repeatable=True, options={"params": params})


def mark_notifications_read(keys: Sequence[str]) -> Call[int]:
    """Mark notifications as read; none named means all of one's own."""

    def parse(response: httpx.Response) -> int:
        return Seen.model_validate_json(response.content).marked

    options = {"json": {"keys": list(keys)}}
    return Call("POST", f"{PREFIX}/notifications/read", parse, repeatable=True, options=options)


def audit_entries(before: int | None, limit: int, wanted: Mapping[str, Any]) -> Call[AuditPage]:
    """A page of the audit log."""
    return get("/audit", AuditPage, before=before, limit=limit, **wanted)


def audit_export(wanted: Mapping[str, Any]) -> Call[bytes]:
    """The audit log as JSON lines."""
    return Call("GET", f"{PREFIX}/audit/export", _content, options={"params": _given(**wanted)})


def audit_verify() -> Call[AuditReport]:
    """Verify the audit log."""
    options = {"timeout": SUBMIT_TIMEOUT}
    return Call("POST", f"{PREFIX}/audit/verify", _model(AuditReport), repeatable=True, options=options)


def artifact(digest: str) -> Call[bytes]:
    """An artifact's bytes, checked against their digest."""

    def parse(response: httpx.Response) -> bytes:
        if digest_of(response.content) != digest:
            raise ArtifactCorrupt(f"what arrived is not artifact {digest}", digest=digest)
        return response.content

    return Call("GET", f"{PREFIX}/artifacts/{digest}", parse, repeatable=True)


def events(run: str) -> str:
    """Return the path of a run's events."""
    return f"{PREFIX}{_run(run)}/events"


def selection(rows: Sequence[str]) -> dict[str, Any]:
    """Return the body that names rows; none means all it can apply to."""
    return {"rows": list(rows)} if rows else {}


def _catalog(
    catalog: Catalog, title: str | None, columns: Mapping[str, str] | None, *, literal: bool, skip_invalid: bool
) -> dict[str, Any]:
    name, data = _contents(catalog)
    fields: dict[str, Any] = {"title": title or name}
    if columns:
        fields["map"] = json.dumps(dict(columns))
    for flag, given in (("literal", literal), ("skip_invalid", skip_invalid)):
        if given:
            fields[flag] = "true"
    return {"content": data, "headers": {"content-type": "text/csv"}, "params": fields, "timeout": SUBMIT_TIMEOUT}


def _contents(catalog: Catalog) -> tuple[str, bytes]:
    """Return a catalog's name and bytes. A text of one line is a path: a catalog has a header and a row."""
    if isinstance(catalog, str):
        if "\n" in catalog or "\r" in catalog:
            return "catalog", catalog.encode()
        catalog = Path(catalog)
    if isinstance(catalog, bytes):
        return "catalog", catalog
    return catalog.name, catalog.read_bytes()


def account(method: str, path: str, model: type[Model], body: dict[str, Any] | None = None) -> Call[Model]:
    """Change something of an account."""
    return Call(method, PREFIX + path, _model(model), options={} if body is None else {"json": body})


def keyed(method: str, path: str, model: type[Model], body: dict[str, Any], key: str) -> Call[Model]:
    """Change something once, however often it is sent."""
    options = {"json": body, "headers": {"idempotency-key": key}}
    return Call(method, PREFIX + path, _model(model), repeatable=True, options=options)


def part(text: str) -> str:
    """Return a text as one part of a path."""
    return quote(text, safe="")


def get(path: str, model: type[Model], **params: Any) -> Call[Model]:  # noqa: ANN401 -- values of a query
    """Read something."""
    return Call("GET", PREFIX + path, _model(model), repeatable=True, options={"params": _given(**params)})


def _given(**params: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a query
    return {name: value for name, value in params.items() if value not in (None, "")}


def _model(model: type[Model]) -> Callable[[httpx.Response], Model]:
    return lambda response: model.model_validate_json(response.content)


def _content(response: httpx.Response) -> bytes:
    return response.content


def _run(run: str) -> str:
    return f"/runs/{quote(run, safe='')}"


def _row(run: str, row: str) -> str:
    return f"{_run(run)}/rows/{quote(row, safe='/')}"
