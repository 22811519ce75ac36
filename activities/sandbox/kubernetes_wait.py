"""Waiting for the pod of a Job to end, across watches that break off."""

import time
from dataclasses import replace
from typing import Final

from activities.sandbox.contracts import SandboxUnavailable
from activities.sandbox.kubernetes_api import ClusterApi, WatchExpired
from activities.sandbox.kubernetes_manifest import Manifest
from activities.sandbox.kubernetes_outcome import PodState, not_in_time, state_of, why_it_never_starts, why_no_pod

_CONTROLLER: Final = "batch.kubernetes.io/controller-uid"
_WATCH_SECONDS: Final = 30.0
_NO_POD_SECONDS: Final = 3.0
_OVERDUE_SECONDS: Final = 30.0


class PodWait:
    """Waits for one pod.

    What is listed between two watches says all that a broken watch may have missed.

    Args:
        api: Requests to the cluster.
        job: The Job; another one of its name may have left a pod behind.
        start_seconds: Longest the pod may take to start.
        wall_seconds: Longest the program may run then.
    """

    def __init__(self, api: ClusterApi, job: Manifest, start_seconds: float, wall_seconds: float) -> None:
        self._api = api
        self._job = str(job["metadata"]["name"])
        self._start_seconds = start_seconds
        self._run_seconds = start_seconds + wall_seconds + _OVERDUE_SECONDS
        self._selector = {"labelSelector": f"{_CONTROLLER}={job['metadata']['uid']}"}
        self._begin = time.monotonic()
        self._started: float | None = None
        self._state: PodState | None = None

    async def end(self) -> PodState:
        """Return how the pod ended.

        Raises:
            SandboxUnavailable: It did not start.
        """
        while True:
            since = await self._list()
            if (state := self._state) and _settled(state):
                return state
            left = self._left()
            if left <= 0:
                return await self._overdue()
            await self._watch(since, min(left, _WATCH_SECONDS if state else _NO_POD_SECONDS))

    async def _list(self) -> str:
        pods, since = await self._api.find("v1", "pods", **self._selector)
        if pods:
            self._see(min(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp"))))
        elif self._state is not None:
            self._state = replace(self._state, deleted=True, ended=True)
        elif time.monotonic() - self._begin > _NO_POD_SECONDS:
            await self._explain()
        return since

    async def _watch(self, since: str, seconds: float) -> None:
        """Look on until the pod has started, or ended, or the time is over."""
        try:
            async for kind, pod in self._api.watch("v1", "pods", since, seconds, **self._selector):
                if kind not in {"ADDED", "MODIFIED", "DELETED"}:
                    continue
                had_started = self._started
                state = self._see(pod, deleted=kind == "DELETED")
                if _settled(state) or self._started != had_started:
                    return
        except WatchExpired:
            return

    def _see(self, pod: Manifest, *, deleted: bool = False) -> PodState:
        state = state_of(pod, deleted=deleted)
        self._state = replace(state, ended=True) if deleted else state
        if state.started and self._started is None:
            self._started = time.monotonic()
        return self._state

    def _left(self) -> float:
        """Return for how long to go on waiting, in seconds."""
        if self._started is not None:
            return self._started + self._run_seconds - time.monotonic()
        return self._begin + self._start_seconds - time.monotonic()

    async def _overdue(self) -> PodState:
        """Return the state of a pod that nobody ended in time.

        Raises:
            SandboxUnavailable: It never started.
        """
        if self._state is None or not self._state.started:
            events = await self._events("Pod", self._state.name) if self._state else []
            raise not_in_time(self._state, self._start_seconds, events)
        return replace(self._state, ended=True, reason="DeadlineExceeded")

    async def _explain(self) -> None:
        """Raise why the Job has no pod, if that can be told."""
        job = await self._api.read("batch/v1", "jobs", self._job)
        if job is None:
            raise SandboxUnavailable(f"somebody deleted the Job {self._job} before its program started")
        if fault := why_no_pod(job, await self._events("Job", self._job)):
            raise fault

    async def _events(self, kind: str, name: str) -> list[Manifest]:
        about = f"involvedObject.kind={kind},involvedObject.name={name}"
        events, _ = await self._api.find("v1", "events", fieldSelector=about)
        return events


def _settled(state: PodState) -> bool:
    """Tell whether a pod has ended.

    Raises:
        SandboxUnavailable: It never started, and will not.
    """
    if fault := why_it_never_starts(state):
        raise fault
    return state.ended
