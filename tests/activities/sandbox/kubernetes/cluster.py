"""A Kubernetes API on a real port: it checks what it is sent, and its one node runs pods in bubblewrap.

It does what a sandbox asks for and no more: objects with resource versions, watches, Jobs of one pod, logs. Pods are
run as they are described (user, command, volumes, read-only files), so what a test reads is what a program printed.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes_validate
from aiohttp import web

from tests.activities.sandbox.kubernetes.node import Node, run_pod

Manifest = dict[str, Any]
TOKEN = "the-token-of-the-worker"  # noqa: S105 -- of this test cluster
SCHEMA = "1.37"


@dataclass
class Fault:
    """What goes wrong with the next requests of one kind."""

    method: str
    path: str
    times: int
    status: int = 0
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    watch: bool = False


def status_of(code: int, message: str, reason: str = "") -> Manifest:
    known = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "AlreadyExists", 422: "Invalid"}
    return {
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": message, "reason": reason or known.get(code, "InternalError"), "code": code,
    }  # fmt: skip


class Cluster:
    """The API server, the Job controller and the node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.bodies: list[Manifest] = []
        self.faults: list[Fault] = []
        self.watchers: set[asyncio.Queue[Manifest]] = set()
        self.history: list[Manifest] = []
        self.node: Node = run_pod
        self.runs = 0
        self.isolated = True
        self.version = 100
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def fail(self, method: str, path: str, status: int, message: str = "no", times: int = 1, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(Fault(method, path, times, status, message, named))

    def break_watches(self, status: int, times: int = 1) -> None:
        """Cut watches off (0), or tell them that they start from too long ago (410)."""
        self.faults.append(Fault("GET", "pods", times, status, watch=True))

    def hang(self, method: str, path: str, times: int = 1) -> None:
        self.faults.append(Fault(method, path, times))

    def of(self, kind: str) -> list[Manifest]:
        return [value for (found, _), value in self.objects.items() if found == kind]

    @property
    def running(self) -> bool:
        return any(pod["status"]["phase"] == "Running" for pod in self.of("pods"))

    def watched(self) -> bool:
        """Tell whether somebody has seen a pod run, and looks on."""
        pods = [pod for pod in self.of("pods") if pod["status"]["phase"] == "Running"]
        versions = [
            int(query.split("resourceVersion=")[1].split("&")[0]) for verb, _, query in self.requests if verb == "watch"
        ]
        return any(version >= int(pod["metadata"]["resourceVersion"]) for pod in pods for version in versions)

    def put(self, kind: str, manifest: Manifest, event: str = "MODIFIED") -> None:
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        name = manifest["metadata"]["name"]
        if event == "DELETED":
            self.objects.pop((kind, name), None)
        else:
            self.objects[kind, name] = manifest
        if kind == "pods":
            self.history.append({"type": event, "object": copy.deepcopy(manifest)})
            for queue in self.watchers:
                queue.put_nowait(self.history[-1])

    def show(self, pod: Manifest, phase: str, state: Manifest | None = None, **status: Any) -> None:
        """Report a pod's state, as the node does; a pod that is gone stays so."""
        if ("pods", pod["metadata"]["name"]) not in self.objects:
            return
        containers = [{"name": "program", "state": state}] if state else []
        pod["status"] = {"phase": phase, "containerStatuses": containers, **status}
        self.put("pods", pod)

    def log_of(self, pod: Manifest) -> Path:
        return self.folder / f"{pod['metadata']['name']}.log"

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    # The API server

    async def serve(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"] + request.match_info.get("log", "")
        watching = "watch" in request.query
        verb = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}.get(request.method)
        verb = verb or ("watch" if watching else "get" if request.match_info.get("name") else "list")
        self.requests.append((verb, kind, request.query_string))
        body = await request.json() if request.can_read_body else {}
        self.bodies.append(body)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refused(401, "Unauthorized")
        fault = self._fault(request.method, kind, watching=watching)
        if fault and not fault.watch:
            if not fault.status:
                await asyncio.sleep(60)
            return refused(fault.status, fault.message, **fault.headers)
        if request.match_info["namespace"] != "sandboxes":
            return refused(404, "not found")
        if watching:
            return await self._watch(request, fault)
        return self._do(verb, kind, request, body)

    def _do(self, verb: str, kind: str, request: web.Request, body: Manifest) -> web.Response:
        if verb == "create":
            return self._create(kind, body)
        if verb == "list":
            chosen = [item for item in self.of(kind) if selected(item, request.query)]
            return web.json_response({"items": chosen, "metadata": {"resourceVersion": str(self.version)}})
        found = self.objects.get((kind.removesuffix("/log"), request.match_info["name"]))
        if found is None:
            return refused(404, f"{kind} not found")
        if kind == "pods/log":
            log = self.log_of(found)
            content = log.read_bytes() if log.exists() else b""
            return web.Response(body=content[: int(request.query["limitBytes"])])
        if verb == "patch":
            found["metadata"].setdefault("annotations", {}).update(body["metadata"]["annotations"])
        elif verb == "delete":
            self._delete(kind, found)
        return web.json_response(found)

    def _fault(self, method: str, path: str, *, watching: bool) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and fault.path == path and (watching or not fault.watch):
                fault.times -= 1
                return fault
        return None

    def _create(self, kind: str, manifest: Manifest) -> web.Response:
        try:
            kubernetes_validate.validate(manifest, SCHEMA, strict=True)
        except kubernetes_validate.ValidationError as fault:
            return refused(422, fault.message)
        name = manifest["metadata"]["name"]
        if (kind, name) in self.objects:
            return refused(409, f'{kind} "{name}" already exists')
        manifest["metadata"]["uid"] = f"uid-{self.version}"
        self.put(kind, manifest, "ADDED")
        if kind == "jobs":
            pod = {**copy.deepcopy(manifest["spec"]["template"]), "status": {"phase": "Pending"}}
            pod["metadata"].update(name=f"{name}-x7k2p", uid="pod", creationTimestamp="2026-11-24T00:00:00Z")
            pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] = manifest["metadata"]["uid"]
            self.tasks[name] = asyncio.create_task(self._control(manifest, pod))
        return web.json_response(manifest, status=201)

    async def _control(self, job: Manifest, pod: Manifest) -> None:
        """Do what the Job controller does: make the pod, and tell that the Job is finished."""
        self.put("pods", pod, "ADDED")
        await self.node(self, pod)
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}

    def _delete(self, kind: str, manifest: Manifest) -> None:
        self.put(kind, manifest, "DELETED")
        name = manifest["metadata"]["name"]
        if kind != "jobs":
            return
        self.tasks[name].cancel()
        for pod in self.of("pods"):
            if pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == manifest["metadata"]["uid"]:
                self.put("pods", pod, "DELETED")
        for secret in self.of("secrets"):
            if any(owner["uid"] == manifest["metadata"]["uid"] for owner in secret["metadata"]["ownerReferences"]):
                self.put("secrets", secret, "DELETED")

    async def _watch(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        if fault and fault.status and fault.times % 2:
            return refused(fault.status, "too old resource version", reason="Expired")
        response = web.StreamResponse()
        await response.prepare(request)
        if fault and fault.status:
            event = {"type": "ERROR", "object": status_of(fault.status, "too old resource version", "Expired")}
            await response.write(json.dumps(event).encode() + b"\n")
            return response
        if fault and request.transport:
            await response.write(b'{"type": "MODIFIED", "obj')
            request.transport.abort()
            return response
        queue: asyncio.Queue[Manifest] = asyncio.Queue()
        self.watchers.add(queue)
        since = int(request.query["resourceVersion"])
        for event in self.history:
            if int(event["object"]["metadata"]["resourceVersion"]) > since:
                queue.put_nowait(event)
        try:
            async with asyncio.timeout(int(request.query["timeoutSeconds"])):
                while True:
                    event = await queue.get()
                    if selected(event["object"], request.query):
                        await response.write(json.dumps(event).encode() + b"\n")
        except (TimeoutError, ConnectionResetError):
            return response
        finally:
            self.watchers.discard(queue)


def refused(code: int, message: str, reason: str = "", **headers: str) -> web.Response:
    return web.json_response(status_of(code, message, reason), status=code, headers=headers)


def selected(manifest: Manifest, query: Any) -> bool:
    wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
    labels = manifest["metadata"].get("labels", {})
    fields = dict(part.split("=") for part in query.get("fieldSelector", "").split(",") if part)
    about = manifest.get("involvedObject", {})
    return wanted.items() <= labels.items() and all(about.get(key.split(".")[1]) == fields[key] for key in fields)


@asynccontextmanager
async def serve_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Serve a cluster on a free port."""
    cluster = Cluster(folder)
    app = web.Application(client_max_size=16 * 1024 * 1024)
    root = r"/{api:api/v1|apis/batch/v1|apis/networking.k8s.io/v1}/namespaces/{namespace}/{kind}"
    app.router.add_route("*", root, cluster.serve)
    app.router.add_route("*", root + "/{name}", cluster.serve)
    app.router.add_route("GET", root + "/{name}{log:/log}", cluster.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    cluster.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield cluster
    finally:
        await cluster.close()
        await runner.cleanup()
