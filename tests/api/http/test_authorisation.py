"""Who may do what, route by route: the table is the specification, and no route is missing in it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from starlette.routing import Mount

from activities.records.contracts import RowState, RunState
from api.app import create_app
from api.permission import Permission
from tests.api.http.guarding import SERVICE, Guarded, guarded_api, people
from tests.api.http.seeding import Seed, Seeder

WHO = ("nobody", "nothing", "viewer", "submitter", "reviewer", "operator", "admin", "service")
CATALOG = {"csv": "task,objective\na,b\n"}
BY = {"json": {"by": ""}}
DIGEST = "sha256:" + 64 * "0"
# Without a Temporal server whatever reaches it is 503; a run or row that has ended is 409. Both have been let through.
# Each column is one of WHO.
TABLE = """
GET    /api/v1/runs                              401 403 200 200 200 200 200 200
POST   /api/v1/runs                              401 403 403 503 403 403 503 503
POST   /api/v1/catalogs/validate                 401 403 200 200 200 200 200 200
GET    /api/v1/agents                            401 403 200 200 200 200 200 200
GET    /api/v1/tools                             401 403 200 200 200 200 200 200
GET    /agents                                   401 403 200 200 200 200 200 200
GET    /api/v1/runs/{run}                        401 403 200 200 200 200 200 200
GET    /api/v1/runs/{run}/results                401 403 200 200 200 200 200 200
GET    /api/v1/runs/{run}/compliance             401 403 200 200 200 200 200 200
GET    /api/v1/runs/{run}/proof                  401 403 409 409 409 409 409 409
GET    /api/v1/runs/{run}/events                 401 403 200 200 200 200 200 200
POST   /api/v1/runs/{run}/pause                  401 403 403 403 403 409 409 409
POST   /api/v1/runs/{run}/resume                 401 403 403 403 403 409 409 409
POST   /api/v1/runs/{run}/cancel                 401 403 403 403 403 409 409 409
POST   /api/v1/runs/{run}/retry                  401 403 403 403 403 409 409 409
POST   /api/v1/runs/{run}/skip                   401 403 403 403 403 409 409 409
POST   /api/v1/runs/{run}/concurrency            401 403 403 403 403 409 409 409
GET    /api/v1/runs/{run}/rows                   401 403 200 200 200 200 200 200
GET    /api/v1/runs/{run}/rows/{row:path}        401 403 200 200 200 200 200 200
POST   /api/v1/runs/{run}/rows/{row:path}/approve 401 403 403 403 409 403 409 409
POST   /api/v1/runs/{run}/rows/{row:path}/reject 401 403 403 403 409 403 409 409
POST   /api/v1/runs/{run}/rows/{row:path}/decide 401 403 403 403 409 403 409 409
GET    /api/v1/runs/{run}/reviews/{row:path}     401 403 200 200 200 200 200 200
POST   /api/v1/runs/{run}/rows/{row:path}/rate  401 403 200 200 200 200 200 200
GET    /api/v1/runs/{run}/feedback/{row:path}    401 403 200 200 200 200 200 200
GET    /api/v1/feedback/scores                   401 403 200 200 200 200 200 200
GET    /api/v1/feedback/pairs                    401 403 403 403 403 200 200 200
GET    /api/v1/feedback/datasets                 401 403 403 403 403 200 200 200
POST   /api/v1/reflections                      401 403 403 403 403 404 404 404
GET    /api/v1/reflections                      401 403 200 200 200 200 200 200
GET    /api/v1/reflections/{reflection}         401 403 404 404 404 404 404 404
GET    /api/v1/experiments                       401 403 200 200 200 200 200 200
POST   /api/v1/experiments                       401 403 403 403 403 201 200 200
GET    /api/v1/experiments/{name}                401 403 404 404 404 404 404 404
POST   /api/v1/experiments/{name}/pause          401 403 403 403 403 404 404 404
POST   /api/v1/experiments/{name}/resume         401 403 403 403 403 404 404 404
POST   /api/v1/experiments/{name}/end            401 403 403 403 403 404 404 404
GET    /experiments                              401 403 200 200 200 200 200 200
GET    /feedback                                 401 403 200 200 200 200 200 200
GET    /api/v1/reviews                           401 403 200 200 200 200 200 200
POST   /api/v1/reviews/decide                    401 403 403 403 200 403 200 200
POST   /api/v1/runs/{run}/rows/{row:path}/retry  401 403 403 403 403 409 409 409
GET    /api/v1/events                            401 403 200 200 200 200 200 200
GET    /api/v1/notifications                     401 200 200 200 200 200 200 200
POST   /api/v1/notifications/read                401 200 200 200 200 200 200 200
GET    /api/v1/artifacts/{digest}                401 403 404 404 404 404 404 404
GET    /api/v1/provenance/key                    401 403 200 200 200 200 200 200
POST   /api/v1/provenance/verify                 401 403 404 404 404 404 404 404
GET    /api/v1/auth/me                           401 200 200 200 200 200 200 200
POST   /api/v1/auth/logout                       401 200 200 200 200 200 200 409
POST   /api/v1/auth/password                     401 401 401 401 401 401 401 409
GET    /api/v1/auth/sessions                     401 200 200 200 200 200 200 409
DELETE /api/v1/auth/sessions/{session}           401 404 404 404 404 404 404 409
GET    /api/v1/auth/tokens                       401 200 200 200 200 200 200 409
POST   /api/v1/auth/tokens                       401 201 201 201 201 201 201 409
DELETE /api/v1/auth/tokens/{token}               401 404 404 404 404 404 404 409
GET    /api/v1/users                             401 403 403 403 403 403 200 200
POST   /api/v1/users                             401 403 403 403 403 403 409 409
PATCH  /api/v1/users/{name}                      401 403 403 403 403 403 404 404
POST   /api/v1/users/{name}/reset                401 403 403 403 403 403 404 404
GET    /api/v1/users/{name}/tokens               401 403 403 403 403 403 404 404
POST   /api/v1/users/{name}/tokens               401 403 403 403 403 403 404 404
DELETE /api/v1/users/{name}/tokens/{token}       401 403 403 403 403 403 404 404
GET    /api/v1/audit                             401 403 403 403 403 403 200 200
GET    /api/v1/audit/export                      401 403 403 403 403 403 200 200
POST   /api/v1/audit/verify                      401 403 403 403 403 403 200 200
GET    /api/v1/budgets                           401 403 200 200 200 200 200 200
POST   /api/v1/budgets/{budget}/allow            401 403 403 403 404 403 404 404
POST   /api/v1/codec/decode                      401 403 403 403 403 404 404 404
POST   /api/v1/codec/encode                      401 403 403 403 403 404 404 404
GET    /budgets                                  401 403 200 200 200 200 200 200
GET    /api/v1/usage                             401 403 200 200 200 200 200 200
GET    /api/v1/usage/failovers                   401 403 200 200 200 200 200 200
GET    /usage                                    401 403 200 200 200 200 200 200
GET    /api/v1/system                            401 403 200 200 200 200 200 200
GET    /api/v1/cache                             401 403 200 200 200 200 200 200
DELETE /api/v1/cache                             401 403 403 403 403 503 503 503
GET    /api/v1/scans                             401 403 403 403 403 200 200 200
GET    /api/v1/scans/{scan}                      401 403 403 403 403 404 404 404
POST   /api/v1/scans                             401 403 403 403 403 400 400 400
GET    /scans                                    401 403 403 403 403 200 200 200
GET    /scans/{scan}                             401 403 403 403 403 404 404 404
GET    /api/v1/secrets                           401 403 403 403 403 403 200 200
PUT    /api/v1/secrets/{name:path}               401 403 403 403 403 403 200 200
POST   /api/v1/secrets/{name:path}/rotate        401 403 403 403 403 403 404 404
DELETE /api/v1/secrets/{name:path}               401 403 403 403 403 403 404 404
GET    /secrets                                  401 403 403 403 403 403 200 200
GET    /system                                   401 403 200 200 200 200 200 200
GET    /metrics                                  401 403 200 200 200 200 200 200
GET    /docs                                     401 200 200 200 200 200 200 200
GET    /docs/start.js                            401 200 200 200 200 200 200 200
GET    /openapi.json                             401 200 200 200 200 200 200 200
GET    /                                         401 403 200 200 200 200 200 200
GET    /account                                  401 200 200 200 200 200 200 303
GET    /users                                    401 403 403 403 403 403 200 200
GET    /notifications                            401 200 200 200 200 200 200 200
GET    /reviews                                  401 403 200 200 200 200 200 200
GET    /audit                                    401 403 403 403 403 403 200 200
GET    /runs/{run}                               401 403 200 200 200 200 200 200
GET    /runs/{run}/rows/{row:path}               401 403 200 200 200 200 200 200
"""
# The only routes that ask nobody, and why.
OPEN = {
    "GET /healthz": "whether the process lives",
    "GET /readyz": "whether what it needs answers",
    "GET /login": "the form",
    "POST /login": "proves who one is",
    "GET /login/oidc": "sends a browser to the identity provider",
    "GET /login/oidc/callback": "the provider's answer proves who one is",
    "GET /decide": "the page behind a one-click link; decides nothing",
    "POST /decide": "the link's token proves who one is",
    "POST /api/v1/auth/login": "proves who one is",
    "POST /api/v1/auth/redeem": "proves who one is",
    "POST /api/v1/auth/refresh": "proves who one is",
}
# Files that every installation has alike; the first still wants a login, in front of all routes.
FOLDERS = {"/docs/assets", "/static"}
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/runs": {"json": CATALOG},
    "/api/v1/catalogs/validate": {"json": CATALOG},
    "/api/v1/runs/{run}/skip": {"json": {"rows": ["ops/a"]}},
    "/api/v1/runs/{run}/concurrency": {"json": {"limit": 2}},
    "/api/v1/runs/{run}/rows/{row:path}/approve": BY,
    "/api/v1/runs/{run}/rows/{row:path}/reject": BY,
    "/api/v1/runs/{run}/rows/{row:path}/decide": {"json": {"kind": "approve"}},
    "/api/v1/reviews/decide": {"json": {"kind": "approve", "every": True}},
    "/api/v1/runs/{run}/rows/{row:path}/rate": {"json": {"rating": "good"}},
    "/api/v1/experiments": {"json": {"name": "e", "variants": [{"name": "a"}, {"name": "b", "prompt": "B"}]}},
    "/api/v1/experiments/{name}/pause": {"json": {}},
    "/api/v1/experiments/{name}/resume": {"json": {}},
    "/api/v1/experiments/{name}/end": {"json": {}},
    "/api/v1/notifications/read": {"json": {"keys": []}},
    "/api/v1/budgets/{budget}/allow": {"json": {"usd": 5}},
    "/api/v1/codec/decode": {"json": {"payloads": []}},
    "/api/v1/codec/encode": {"json": {"payloads": []}},
    "/api/v1/provenance/verify": {"json": {"envelope": DIGEST}},
    "/api/v1/auth/password": {"json": {"current": "wrong", "new": "correct horse battery"}},
    "/api/v1/auth/tokens": {"json": {"title": "ci", "scopes": ["runs.read"]}},
    "/api/v1/users": {"json": {"name": "viewer"}},
    "/api/v1/users/{name}/tokens": {"json": {"title": "ci", "scopes": ["runs.read"]}},
    "/api/v1/reflections": {"json": {"agent": "nobody"}},
    "/api/v1/scans": {"json": {"folder": "/nowhere"}},
    "/api/v1/secrets/{name:path}": {"json": {"value": "canary-of-roles"}},
    "/api/v1/secrets/{name:path}/rotate": {"json": {}},
    "/api/v1/users/{name}": {"json": {"disabled": True}},
}
LINES = [line.split() for line in TABLE.strip().splitlines()]
CASES = [(line[0], line[1], who, int(status)) for line in LINES for who, status in zip(WHO, line[2:], strict=True)]


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    with guarded_api(tmp_path_factory.mktemp("guarded")) as api:
        await people(api)
        seeder = Seeder(api.served.settings, api.served.services.stores)
        await seeder.run("done", "Done", [Seed("ops/a", "A", "a", output="x")], state=RunState.COMPLETED, minutes_ago=1)
        two = [Seed("ops/a", "A", "a", state=RowState.REVIEW), Seed("sales/b", "B", "b", state=RowState.REVIEW)]
        await seeder.run("both", "Two boards", two, state=RunState.RUNNING, minutes_ago=1)
        yield api


def routes(app: FastAPI) -> Iterator[tuple[str, Dependant | None]]:
    for route in app.routes:
        contexts = getattr(route, "effective_route_contexts", None)
        for one in list(contexts()) if contexts else [route]:
            if isinstance(one, Mount):
                yield one.path, None
            else:
                yield from ((f"{method} {one.path}", one.dependant) for method in sorted(one.methods - {"HEAD"}))


def permissions(dependant: Dependant) -> list[Permission]:
    inner = [found for one in dependant.dependencies for found in permissions(one)]
    return inner + ([dependant.call] if isinstance(dependant.call, Permission) else [])


def test_every_route_names_its_action_and_stands_in_the_table(guarded: Guarded) -> None:
    services = guarded.served.services
    found = dict(routes(create_app(services.settings, services)))
    assert {name for name, dependant in found.items() if dependant is None} == FOLDERS
    asked = {name: permissions(dependant) for name, dependant in found.items() if dependant is not None}
    assert {name for name, asks in asked.items() if not asks} == set(OPEN)
    assert {name for name, asks in asked.items() if asks} == {f"{line[0]} {line[1]}" for line in LINES}
    assert {ask.action for asks in asked.values() for ask in asks} <= services.access_policy.actions


@pytest.mark.parametrize(("method", "path", "who", "status"), CASES, ids=[f"{c[2]} {c[0]} {c[1]}" for c in CASES])
async def test_a_role_may(guarded: Guarded, method: str, path: str, who: str, status: int) -> None:
    names = {
        "run": "done",
        "row:path": "ops/a",
        "digest": DIGEST,
        "session": "x",
        "token": "x",
        "name": "missing",
        "name:path": method.lower(),
        "budget": "none",
    }
    filled = path
    for name, value in names.items():
        filled = filled.replace(f"{{{name}}}", value)
    # A stream of everything has no end: how it begins is enough.
    user = who if who not in {"nobody", "service"} else ""
    client = await guarded.client(user, SERVICE if who == "service" else "")
    async with client, client.stream(method, filled, **BODIES.get(path, {})) as answer:
        if answer.status_code >= 400:
            await answer.aread()
    assert answer.status_code == status
    if status in {401, 403} and path != "/api/v1/auth/password":
        assert answer.json()["error"]["code"] == ("UNAUTHENTICATED" if status == 401 else "FORBIDDEN")


BOARDER = """
GET  /api/v1/runs/done                    200
GET  /api/v1/runs/both                    403
GET  /api/v1/runs/nothing                 403
GET  /api/v1/runs/both/rows               403
GET  /api/v1/runs/both/rows/ops/a         200
GET  /api/v1/runs/both/rows/sales/b       403
GET  /api/v1/runs/both/rows/none          403
GET  /runs/both/rows/ops/a                200
GET  /runs/both                           403
POST /api/v1/runs/both/rows/ops/a/approve 503
POST /api/v1/runs/both/rows/sales/b/approve 403
GET  /api/v1/runs/both/reviews/ops/a      200
GET  /api/v1/runs/both/reviews/sales/b    403
GET  /api/v1/reviews                      200
POST /api/v1/runs/done/pause              403
GET  /api/v1/events                       403
GET  /api/v1/users                        403
"""


@pytest.mark.parametrize(("method", "path", "status"), [line.split() for line in BOARDER.strip().splitlines()])
async def test_a_grant_on_a_board_reaches_no_further(guarded: Guarded, method: str, path: str, status: str) -> None:
    body = {"json": {}} if method == "POST" else {}
    async with await guarded.client("boarder") as client:
        answer = await client.request(method, path, **body)
    assert answer.status_code == int(status), answer.text


async def test_of_runs_only_those_are_listed_that_are_of_ones_boards(guarded: Guarded) -> None:
    async with await guarded.client("boarder") as client:
        assert [run["run"] for run in (await client.get("/api/v1/runs")).json()["runs"]] == ["done"]
        page = (await client.get("/", headers={"accept": "text/html"})).text
    assert "Two boards" not in page
    assert "Done" in page


@pytest.mark.parametrize(("board", "status"), [("ops", 503), ("sales", 403), ("", 403)])
async def test_a_catalog_is_submitted_for_ones_boards_only(guarded: Guarded, board: str, status: int) -> None:
    rows = [{"board": "ops", "task": "x", "objective": "x"}, {"board": board, "task": "y", "objective": "y"}]
    async with await guarded.client("boarder") as client:
        answer = await client.post("/api/v1/runs", json={"rows": rows})
    assert answer.status_code == status, answer.text


CLAIMS: list[tuple[str, str, dict[str, Any]]] = [
    ("operator", "/api/v1/runs/both/pause", {"by": "admin"}),
    ("reviewer", "/api/v1/runs/both/rows/ops/a/approve", {"by": "admin"}),
    ("submitter", "/api/v1/runs", {**CATALOG, "submitter": "admin"}),
    ("admin", "/api/v1/runs/both/rows/ops/a/reject", {"by": "viewer"}),
]


@pytest.mark.parametrize(("who", "path", "body"), CLAIMS)
async def test_nobody_acts_in_anothers_name(guarded: Guarded, who: str, path: str, body: dict[str, Any]) -> None:
    async with await guarded.client(who) as client:
        answer = await client.post(path, json=body)
        assert answer.status_code == 403
        assert "cannot act as somebody else" in answer.json()["error"]["message"]
        own = {name: who if name in {"by", "submitter"} else value for name, value in body.items()}
        assert (await client.post(path, json=own)).status_code == 503


async def test_the_service_token_may_name_for_whom_it_acts(guarded: Guarded) -> None:
    async with await guarded.client(token=SERVICE) as client:
        answer: httpx.Response = await client.post("/api/v1/runs/both/rows/ops/a/approve", json={"by": "ana"})
    assert answer.status_code == 503
