"""The one node of the test cluster: it runs pods in bubblewrap, as they are described."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activities.sandbox.enclosure import own_python

if TYPE_CHECKING:
    from tests.activities.sandbox.kubernetes.cluster import Cluster

Manifest = dict[str, Any]
Node = Callable[["Cluster", Manifest], Awaitable[None]]


async def run_pod(cluster: "Cluster", pod: Manifest, ending: Manifest | None = None) -> None:
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
    times = {"startedAt": "2026-11-24T00:00:01Z", "finishedAt": "2026-11-24T00:00:03Z"}
    ended = {
        **times,
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        **(ending or {}).get("container", {}),
    }
    phase = "Failed" if code else "Succeeded"
    cluster.show(pod, phase, {"terminated": ended}, **(ending or {}).get("pod", {}))


def enclosed(cluster: "Cluster", pod: Manifest) -> list[str]:
    """Return the command line that runs a pod's container as it is described."""
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    user = str(spec["securityContext"]["runAsUser"])
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--as-pid-1", "--uid", user, "--gid", user]
    command += ["--cap-drop", "ALL", "--clearenv", "--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin"]
    host, _, port = cluster.address.removeprefix("http://").partition(":")
    command += ["--setenv", "KUBERNETES_SERVICE_HOST", host, "--setenv", "KUBERNETES_SERVICE_PORT", port]
    command += [] if cluster.isolated else ["--share-net"]
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


def waiting(reason: str, message: str = "") -> Node:
    """Return a node on which a container never starts."""

    async def node(cluster: "Cluster", pod: Manifest) -> None:
        cluster.show(pod, "Pending", {"waiting": {"reason": "ContainerCreating"}})
        cluster.show(pod, "Pending", {"waiting": {"reason": "ErrImagePull", "message": "once"}})
        cluster.show(pod, "Pending", {"waiting": {"reason": reason, "message": message}})

    return node


def killing(container: str = "", **pod: str) -> Node:
    """Return a node that kills each program soon after its first words."""

    async def node(cluster: "Cluster", manifest: Manifest) -> None:
        ending = {"container": {"reason": container} if container else {}, "pod": pod}
        await run_pod(cluster, manifest, ending)

    return node
