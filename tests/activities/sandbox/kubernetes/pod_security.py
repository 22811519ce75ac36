"""The pod security standard "restricted" (and "baseline", which it holds), as Kubernetes documents it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]
VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"
}  # fmt: skip
SECCOMP = {"RuntimeDefault", "Localhost"}


def violations(pod: Manifest) -> list[str]:
    """Return which rules of the standard a pod's specification breaks."""
    return [*_of_pod(pod), *(rule for container in _containers(pod) for rule in _of_container(container, pod))]


def _containers(pod: Manifest) -> Iterator[Manifest]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(kind, [])


def _of_pod(pod: Manifest) -> Iterator[str]:
    context = pod.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", []):
        if not set(volume) - {"name"} <= VOLUMES:
            yield f"volume {volume['name']}"
    if context.get("sysctls") or context.get("windowsOptions") or context.get("seLinuxOptions"):
        yield "sysctls, Windows or SELinux options"
    if context.get("runAsUser") == 0:
        yield "runAsUser of the pod"


def _of_container(container: Manifest, pod: Manifest) -> Iterator[str]:
    own, of_pod = container.get("securityContext", {}), pod.get("securityContext", {})
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser") == 0:
        yield "runAsUser"
    if own.get("seccompProfile", of_pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield "seccompProfile"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "capabilities are not dropped"
    if not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if own.get("procMount", "Default") != "Default" or own.get("seLinuxOptions") or own.get("appArmorProfile"):
        yield "procMount, SELinux or AppArmor options"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "hostPort"
