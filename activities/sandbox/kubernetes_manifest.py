"""What a program's Job, Secret and network policy look like to Kubernetes; pure functions."""

import gzip
import hashlib
import math
import uuid
from dataclasses import dataclass
from typing import Any, Final

from activities.sandbox.contracts import Execution, Limits, SandboxUnavailable
from activities.sandbox.launching import LAUNCHER_BYTES, encoded, given_files, program_name
from catalogs.row import Language

Manifest = dict[str, Any]

CONTAINER: Final = "program"
NETWORK_POLICY: Final = "prism-sandbox"
HOLDER: Final = "prism-console/holder"
"""Annotation of a Job: which call waits for it."""
MADE_BY: Final = "prism-console/made-by"
"""Annotation of a Job: which call made it."""
EXECUTION: Final = "prism-console/execution"
"""Label of a Job and of its pod: the Job's name."""
KEPT_BYTES: Final = 4 * 1024 * 1024
"""Files leave a pod by its log, of which a node keeps ten megabytes."""
SECRET_BYTES: Final = 1_000_000
"""Kubernetes takes a little over a million bytes in one Secret."""

_NAMED: Final = {"app.kubernetes.io/name": "prism-sandbox"}
_LABELS: Final = {**_NAMED, "app.kubernetes.io/managed-by": "prism-console"}
_FOLDER: Final = "/run/prism"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOG_BYTES: Final = 64 * 1024 * 1024
_END_SECONDS: Final = 10
_KEPT_SECONDS: Final = 300
_FIRST_UID: Final = 1_900_000_000
_UIDS: Final = 1 << 24
_MEGABYTE: Final = 1 << 20
_WRITABLE: Final = {"work": "/work", "tmp": "/tmp", "shm": "/dev/shm"}  # noqa: S108 -- of the pod


class ProgramTooLarge(SandboxUnavailable):
    """A program and its input do not fit into a Secret; trying again cannot help."""

    retryable = False


@dataclass(frozen=True)
class PodTemplate:
    """What an installation says about its sandbox pods.

    Args:
        namespace: Where they run; Prism may do nothing anywhere else.
        image: Has ``python3``, ``bash`` and ``node`` on its path.
        runtime_class: Name of a RuntimeClass, such as one of gVisor; empty takes the cluster's default.
        start_seconds: Longest a pod may wait for a place, its image and its start.
    """

    namespace: str
    image: str
    runtime_class: str = ""
    start_seconds: int = 60


def name_of(key: str) -> str:
    """Return the name of a program's objects: the same for the same key, and a new one without a key."""
    token = hashlib.sha256(key.encode()).hexdigest() if key else uuid.uuid4().hex
    return f"prism-sandbox-{token[:24]}"


def secret_of(job: Manifest) -> str:
    """Return the name of the Secret that a Job's pod reads: another one for each Job of the same name."""
    return f"{job['metadata']['name']}-{job['metadata']['annotations'][MADE_BY][:8]}"


def job(name: str, execution: Execution, template: PodTemplate, holder: str) -> Manifest:
    """Return the Job that runs a program once.

    Args:
        name: Its name.
        execution: The program; nothing of it but its limits is in the Job, which many may read.
        template: What the installation says.
        holder: Which call waits for it.
    """
    seconds = template.start_seconds + math.ceil(execution.limits.wall_seconds) + _END_SECONDS
    labels = {**_LABELS, EXECUTION: name}
    about = {
        "name": name,
        "namespace": template.namespace,
        "labels": labels,
        "annotations": {HOLDER: holder, MADE_BY: holder},
    }
    given = secret_of({"metadata": about})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": about,
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            # A Job that overruns loses its pod, and with it the log: the pod's own deadline comes first.
            "activeDeadlineSeconds": seconds + _END_SECONDS,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(given, execution.limits, template, seconds),
            },
        },
    }


def secret(name: str, execution: Execution, template: PodTemplate) -> Manifest:
    """Return the Secret that the pod reads program, input and environment from, before it has an owner.

    Args:
        name: The Job's name.
        execution: The program.
        template: What the installation says.

    Raises:
        ProgramTooLarge: It does not fit.
        SecretNotText: A value cannot stand in an environment.
    """
    files = given_files(execution, _command(execution), _PATH, most_bytes=KEPT_BYTES)
    files["stdin.gz"] = gzip.compress(execution.stdin.encode(errors="replace"), mtime=0)
    if archive := files.get("inputs.tar"):
        files["inputs.tar"] = gzip.compress(archive, mtime=0)
    size = sum(map(len, files.values()))
    if size > SECRET_BYTES:
        raise ProgramTooLarge(
            f"the program, its input and its files are {size} bytes together, of which a sandbox in Kubernetes takes "
            f"{SECRET_BYTES}: make them smaller (input and files are compressed, the program is not)"
        )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": template.namespace,
            "labels": {**_LABELS, EXECUTION: name},
        },
        "type": "Opaque",
        "immutable": True,
        "data": {file: encoded(content) for file, content in files.items()},
    }


def owned(manifest: Manifest, job: Manifest) -> Manifest:
    """Return a Secret as a Job's own: with the Job, Kubernetes removes it."""
    about = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": about["name"], "uid": about["uid"]}
    return {**manifest, "metadata": {**manifest["metadata"], "name": secret_of(job), "ownerReferences": [owner]}}


def network_policy(template: PodTemplate) -> Manifest:
    """Return the policy that lets nothing into sandbox pods and nothing out of them."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": NETWORK_POLICY, "namespace": template.namespace, "labels": _LABELS},
        "spec": {"podSelector": {"matchLabels": _NAMED}, "policyTypes": ["Ingress", "Egress"]},
    }


def _command(execution: Execution) -> list[str]:
    """Return the interpreter with the program's file."""
    heap = max(execution.limits.memory_bytes * 3 // 4 // _MEGABYTE, 16)
    commands = {
        Language.PYTHON: ["python3", "-I", "-B", "-u"],
        Language.SHELL: ["bash"],
        Language.JAVASCRIPT: ["node", f"--max-old-space-size={heap}"],
    }
    return [*commands[execution.language], f"{_FOLDER}/{program_name(execution.language)}"]


def _pod(given: str, limits: Limits, template: PodTemplate, seconds: int) -> Manifest:
    """Return the pod, which meets the pod security standard "restricted"."""
    # The kernel counts processes by user, across all pods of a node: each pod is a user of its own.
    user = _FIRST_UID + int(hashlib.sha256(given.encode()).hexdigest(), 16) % _UIDS
    memory = {"medium": "Memory", "sizeLimit": str(limits.file_bytes)}
    pod: Manifest = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostname": "sandbox",
        # No name is to be resolved; asked of nobody, each fails at once rather than after half a minute.
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["127.0.0.1"]},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(limits, template.image)],
        "volumes": [
            {"name": "given", "secret": {"secretName": given, "defaultMode": 0o444}},
            *({"name": volume, "emptyDir": memory} for volume in _WRITABLE),
        ],
    }
    if template.runtime_class:
        pod["runtimeClassName"] = template.runtime_class
    return pod


def _container(limits: Limits, image: str) -> Manifest:
    resources = {
        "cpu": "1",
        # What is written to memory volumes counts too.
        "memory": str(limits.memory_bytes + LAUNCHER_BYTES),
        "ephemeral-storage": str(_LOG_BYTES),
    }
    return {
        "name": CONTAINER,
        "image": image,
        "command": ["python3", "-I", "-B", f"{_FOLDER}/launcher.py", _FOLDER],
        "workingDir": "/work",
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "given", "mountPath": _FOLDER, "readOnly": True},
            *({"name": volume, "mountPath": path} for volume, path in _WRITABLE.items()),
        ],
    }
