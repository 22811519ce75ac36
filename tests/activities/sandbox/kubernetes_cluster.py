"""A Kubernetes API on a real port: it checks what it is sent, and its one node runs pods in bubblewrap.

It does what a sandbox asks for and no more: objects with resource versions, watches, Jobs of one pod, logs. Pods are
run as they are described (user, command, volumes, read-only files), so what a test reads is what a program printed.
"""

import asyncio
import base64
import copy
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes_validate
from aiohttp import web

from activities.sandbox.enclosure import own_python

Manifest = dict[str, Any]
KINDS = {"jobs": "Job", "secrets": "Secret", "networkpolicies": "NetworkPolicy", "pods": "Pod", "events": "Event"}
TOKEN = "the-token-of-the-worker"
SCHEMA = "1.37"
NOT_FOUND = 404


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
        self.node: Callable[[Cluster, Manifest], Awaitable[None]] = run_pod
        self.runs = 0
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

    def put(self, kind: str, manifest: Manifest, event: str = "MODIFIED") -> None:
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        name = manifest["metadata"]["name"]
        if event == "DELETED":
            self.objects.pop((kind, name), None)
        else:
            self.objects[kind, name] = manifest
        if kind == "pods":
            for queue in self.watchers:
                queue.put_nowait({"type": event, "object": copy.deepcopy(manifest)})

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
        kind, name = request.match_info["kind"], request.match_info.get("name", "")
        watching = "watch" in request.query
        verb = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}.get(request.method)
        verb = verb or ("watch" if watching else "get" if name else "list")
        self.requests.append((verb, kind + request.match_info.get("log", ""), request.query_string))
        body = await request.json() if request.can_read_body else {}
        self.bodies.append(body)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refused(401, "Unauthorized")
        fault = self._fault(request.method, kind + request.match_info.get("log", ""), watching=watching)
        if fault and not fault.watch:
            if not fault.status:
                await asyncio.sleep(60)
            return refused(fault.status, fault.message, **fault.headers)
        if request.match_info["namespace"] != "sandboxes":
            return refused(404, "not found")
        if watching:
            return await self._watch(request, fault)
        if verb == "create":
            return self._create(kind, body)
        if verb == "list":
            chosen = [item for item in self.of(kind) if selected(item, request.query)]
            return web.json_response({"items": chosen, "metadata": {"resourceVersion": str(self.version)}})
        found = self.objects.get((kind, name))
        if found is None:
            return refused(404, f'{kind} "{name}" not found')
        if request.match_info.get("log"):
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
            if pod["metadata"]["labels"]["prism-console/execution"] == name:
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
        queue: asyncio.Queue[Manifest] = asyncio.Queue()
        self.watchers.add(queue)
        since = int(request.query["resourceVersion"])
        for pod in self.of("pods"):
            if int(pod["metadata"]["resourceVersion"]) > since:
                queue.put_nowait({"type": "MODIFIED", "object": copy.deepcopy(pod)})
        try:
            async with asyncio.timeout(int(request.query["timeoutSeconds"])):
                while True:
                    event = await queue.get()
                    if selected(event["object"], request.query):
                        line = json.dumps(event).encode() + b"\n"
                        await response.write(line[:40] if fault else line)
                    if fault and request.transport:
                        request.transport.abort()
                        return response
        except TimeoutError:
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


# The node


async def run_pod(cluster: Cluster, pod: Manifest, ending: Manifest | None = None) -> None:
    """Run a pod to its end; with ``ending``, kill it once it has printed something, and say why in those words."""
    cluster.runs += 1
    name = pod["spec"]["volumes"][0]["secret"]["secretName"]
    while ("secrets", name) not in cluster.objects:  # the kubelet tries again, too
        await asyncio.sleep(0.005)
    log = cluster.log_of(pod)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *enclosed(cluster, pod), stdout=output, stderr=output, stdin=asyncio.subprocess.DEVNULL
        )
    cluster.show(pod, "Running", {"running": {"startedAt": "2026-11-24T00:00:01Z"}})
    try:
        if ending is not None:
            while not log.stat().st_size:
                await asyncio.sleep(0.02)
            process.kill()
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = 137 if ending is not None else code
    ended = {"exitCode": code, "reason": "Error" if code else "Completed", **(ending or {}).get("container", {})}
    phase = "Failed" if code else "Succeeded"
    cluster.show(pod, phase, {"terminated": ended}, **(ending or {}).get("pod", {}))


def enclosed(cluster: Cluster, pod: Manifest) -> list[str]:
    """Return the command line that runs a pod's container as it is described."""
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    user = str(spec["securityContext"]["runAsUser"])
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--as-pid-1", "--uid", user, "--gid", user]
    command += ["--cap-drop", "ALL", "--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]
    command += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    for link in ("bin", "lib", "lib64"):
        command += ["--symlink", f"usr/{link}", f"/{link}"]
    if not Path("/usr/bin/python3").exists():
        command += ["--ro-bind", str(own_python().resolve().parent.parent), "/usr/local"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "secret" in volume:
            folder = cluster.folder / volume["secret"]["secretName"]
            folder.mkdir()
            for name, value in cluster.objects["secrets", folder.name]["data"].items():
                (folder / name).write_bytes(base64.b64decode(value))
            command += ["--ro-bind", str(folder), mount["mountPath"]]
        else:
            command += ["--size", volume["emptyDir"]["sizeLimit"], "--tmpfs", mount["mountPath"]]
    return [*command, "--remount-ro", "/", "--chdir", container["workingDir"], "--", *container["command"]]


def waiting(reason: str, message: str = "") -> Callable[[Cluster, Manifest], Awaitable[None]]:
    """Return a node on which a container never starts."""

    async def node(cluster: Cluster, pod: Manifest) -> None:
        cluster.show(pod, "Pending", {"waiting": {"reason": "ContainerCreating"}})
        cluster.show(pod, "Pending", {"waiting": {"reason": "ErrImagePull", "message": "once"}})
        cluster.show(pod, "Pending", {"waiting": {"reason": reason, "message": message}})

    return node


def killing(container: str = "", **pod: str) -> Callable[[Cluster, Manifest], Awaitable[None]]:
    """Return a node that kills each program soon after its first words."""

    async def node(cluster: Cluster, manifest: Manifest) -> None:
        ending = {"container": {"reason": container} if container else {}, "pod": pod}
        await run_pod(cluster, manifest, ending)

    return node


@asynccontextmanager
async def serve_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Serve a cluster on a free port."""
    cluster = Cluster(folder)
    app = web.Application(client_max_size=16 * 1024 * 1024)
    root = re.sub(r"\s", "", r"/{api:api/v1|apis/batch/v1|apis/networking.k8s.io/v1}/namespaces/{namespace}/{kind}")
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
