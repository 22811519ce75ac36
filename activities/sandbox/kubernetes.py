"""The sandbox of a cluster: each program is a Kubernetes Job of one pod that may do nothing but compute."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from activities.sandbox import kubernetes_manifest as manifests
from activities.sandbox.contracts import Execution, ExecutionResult, SandboxUnavailable
from activities.sandbox.kubernetes_api import ClusterApi, ClusterSilent, Conflict, Patience, open_client
from activities.sandbox.kubernetes_manifest import CONTAINER, HOLDER, Manifest, PodTemplate
from activities.sandbox.kubernetes_outcome import PodState, SandboxRefused, log_limit, read_log, result_of
from activities.sandbox.kubernetes_wait import PodWait

log = logging.getLogger(__name__)

_BATCH: Final = "batch/v1"
_NETWORKING: Final = "networking.k8s.io/v1"
_REMOVAL_SECONDS: Final = 15.0
_LOG_ATTEMPTS: Final = 3


class KubernetesSandbox:
    """Runs a program as a Job whose pod meets the pod security standard "restricted" and has no network.

    The Job outlives the worker: a call with the same key waits for the program that an earlier one started.

    Args:
        api: Requests to the cluster.
        template: What the installation says about its pods.
    """

    def __init__(self, api: ClusterApi, template: PodTemplate) -> None:
        self._api = api
        self._template = template

    async def execute(self, execution: Execution) -> ExecutionResult:
        """Run a program to its end or its limits; a cancelled call deletes its Job and Secret.

        Raises:
            SandboxUnavailable: The program could not be started in isolation, or what became of it cannot be read.
        """
        name, holder = manifests.name_of(execution.key), uuid.uuid4().hex
        given = manifests.secret(name, execution, self._template)
        await self._deny_network()
        try:
            job = await self._start(name, execution, given, holder)
            seconds = self._template.start_seconds, execution.limits.wall_seconds
            state = await PodWait(self._api, job, *seconds).end()
            result = await self._result(state, execution)
        except ClusterSilent:
            if not execution.key:
                await self._remove(name, holder)
            raise  # with a key, the next attempt finds the program where this one left it
        except BaseException:
            await asyncio.shield(self._remove(name, holder))
            raise
        # The finished Job stays for a while where a repeated call would look for it; its secrets do not.
        await self._remove(name, holder, job=not execution.key)
        return result

    async def _deny_network(self) -> None:
        """See to it that sandbox pods have no network, before there is one.

        Raises:
            SandboxUnavailable: The policy is not there, or another one by its name.
        """
        wanted = manifests.network_policy(self._template)
        name = wanted["metadata"]["name"]
        found = await self._api.read(_NETWORKING, "networkpolicies", name)
        if found is None:
            try:
                found = await self._api.create(wanted)
            except Conflict:
                return
        spec = found.get("spec") or {}
        if any(spec.get(part) != value for part, value in wanted["spec"].items()) or spec.get("egress"):
            raise SandboxRefused(
                f"the network policy {name} in {self._template.namespace} is not the one that denies everything: "
                "delete it, and Prism makes it anew"
            )

    async def _start(self, name: str, execution: Execution, given: Manifest, holder: str) -> Manifest:
        """Create the Job and what it reads, or take over the Job that an earlier attempt created; return it."""
        try:
            job = await self._api.create(manifests.job(name, execution, self._template, holder))
        except Conflict:
            return await self._take_over(name, given, holder)
        await self._give(given, job)
        return job

    async def _take_over(self, name: str, given: Manifest, holder: str) -> Manifest:
        job = await self._api.annotate(_BATCH, "jobs", name, {HOLDER: holder})
        if job is None or "deletionTimestamp" in job["metadata"]:
            raise SandboxUnavailable(f"the Job {name} of an earlier attempt is just being removed")
        if not (job.get("status") or {}).get("conditions"):
            await self._give(given, job)
        return job

    async def _give(self, given: Manifest, job: Manifest) -> None:
        """Create the Secret of a Job, unless an earlier attempt did."""
        with contextlib.suppress(Conflict):
            await self._api.create(manifests.owned(given, job))

    async def _result(self, state: PodState, execution: Execution) -> ExecutionResult:
        """Read how a program ended and what it printed.

        Raises:
            SandboxUnavailable: It cannot be told.
        """
        said = ""
        for _ in range(_LOG_ATTEMPTS):
            lines = await self._api.log(state.name, CONTAINER, log_limit(execution)) or b""
            told = read_log(lines, execution.limits)
            if result := result_of(state, told, execution):
                return result
            said = told.last_line
            await asyncio.sleep(0.5)
        raise ClusterSilent(
            f"the pod {state.name} ended ({state.reason or state.exit_code}) and its log does not say how: "
            f"{said or 'it is empty'}"
        )

    async def _remove(self, name: str, holder: str, *, job: bool = True) -> None:
        """Delete a program's objects, unless another call waits for them now; what stays, Kubernetes removes later."""
        try:
            async with asyncio.timeout(_REMOVAL_SECONDS):
                found = await self._api.read(_BATCH, "jobs", name)
                if found is None or found["metadata"]["annotations"].get(HOLDER) != holder:
                    return
                if job:
                    await self._api.delete(_BATCH, "jobs", name, uid=found["metadata"]["uid"])
                await self._api.delete("v1", "secrets", manifests.secret_of(found))
        except (SandboxUnavailable, TimeoutError) as fault:
            log.warning("the objects %s of a sandbox stay in the cluster until they expire: %s", name, fault)


@contextlib.asynccontextmanager
async def open_kubernetes_sandbox(
    template: PodTemplate, kubeconfig: Path | None, patience: Patience | None = None
) -> AsyncIterator[KubernetesSandbox]:
    """Open a sandbox in a cluster.

    Args:
        template: What the installation says about its pods.
        kubeconfig: Where the cluster is and who asks; nothing means the cluster that this process runs in.
        patience: How long to bear with its API server.

    Raises:
        InvalidSandbox: There are no credentials.
    """
    async with open_client(kubeconfig) as client:
        yield KubernetesSandbox(ClusterApi(client, template.namespace, patience), template)
