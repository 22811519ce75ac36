"""Reading what Kubernetes says about a pod, and what the launcher wrote to its log; pure functions."""

import signal
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from activities.sandbox.contracts import Execution, ExecutionResult, ExitReason, Limits, SandboxUnavailable
from activities.sandbox.endings import SIGNAL_BASE
from activities.sandbox.kubernetes_manifest import CONTAINER, KEPT_BYTES, Manifest
from activities.sandbox.relay import Relay, result_of_report

_LINE_EXTRA: Final = 64 * 1024
_HOPELESS: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_IMAGE: Final = frozenset({"ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", *_HOPELESS})
"""``ErrImagePull`` is not among them: the node tries once more before it backs off."""
_BROKEN: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_NEVER_RAN: Final = frozenset({"StartError", "ContainerCannotRun", "ContainerStatusUnknown"})


class SandboxRefused(SandboxUnavailable):
    """The cluster does not run the program as it is asked to; trying again cannot help."""

    retryable = False


@dataclass(frozen=True)
class PodState:
    """What matters of a pod.

    Args:
        name: Its name.
        image: What its container is made of.
        started: Whether the launcher has run.
        ended: Whether it has ended.
        deleted: Whether the pod is on its way out, or gone.
        waiting: Why the container waits, if it does, and what Kubernetes says to it.
        stuck: What keeps it from starting at all.
        reason: Why the pod failed (``DeadlineExceeded``, ``Evicted``) or the container ended (``OOMKilled``).
        exit_code: The container's exit code.
        said: What Kubernetes says to the reason.
        seconds: How long the container ran, to the second.
    """

    name: str
    image: str
    started: bool = False
    ended: bool = False
    deleted: bool = False
    waiting: str = ""
    stuck: str = ""
    reason: str = ""
    exit_code: int | None = None
    said: str = ""
    seconds: float = 0.0


def state_of(pod: Manifest, *, deleted: bool = False) -> PodState:
    """Return what matters of a pod as the API describes it."""
    status = pod.get("status") or {}
    container: Manifest = next(
        (item for item in status.get("containerStatuses") or [] if item["name"] == CONTAINER), {}
    )
    states = container.get("state") or {}
    terminated = states.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    waiting = states.get("waiting") or {}
    return PodState(
        name=pod["metadata"]["name"],
        image=pod["spec"]["containers"][0]["image"],
        started=bool(states.get("running") or (terminated and terminated.get("reason") not in _NEVER_RAN)),
        ended=bool(terminated) or status.get("phase") in {"Succeeded", "Failed"},
        deleted=deleted or "deletionTimestamp" in pod["metadata"],
        waiting=waiting.get("reason", ""),
        stuck=_stuck(status),
        reason=status.get("reason") or terminated.get("reason", ""),
        exit_code=terminated.get("exitCode"),
        said=(status.get("message") or terminated.get("message") or waiting.get("message") or "").strip()[:500],
        seconds=_seconds(terminated),
    )


def _seconds(terminated: Manifest) -> float:
    begin, end = terminated.get("startedAt"), terminated.get("finishedAt")
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() if begin and end else 0.0


def _stuck(status: Manifest) -> str:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")[:500]
    return ""


def why_it_never_starts(state: PodState) -> SandboxUnavailable | None:
    """Return the fault of a pod that will not run, if it has one; the program was then not run."""
    said = f": {state.said}" if state.said else ""
    if state.waiting in _IMAGE:
        fault = SandboxRefused if state.waiting in _HOPELESS else SandboxUnavailable
        return fault(
            f"the image {state.image} of PRISM_SANDBOX_IMAGE cannot be had ({state.waiting}){said}", image=state.image
        )
    if state.waiting in _BROKEN:
        return SandboxUnavailable(f"the sandbox's container cannot be made ({state.waiting}){said}")
    if state.started:
        return None
    if state.ended and state.reason in _NEVER_RAN:
        return SandboxRefused(
            f"the image {state.image} of PRISM_SANDBOX_IMAGE does not start: it needs python3{said}", image=state.image
        )
    if state.ended or state.deleted:
        why = state.reason or ("Deleted" if state.deleted else "no reason given")
        return SandboxUnavailable(f"the pod ended before the program started ({why}){said or _because(state.stuck)}")
    return None


def not_in_time(state: PodState | None, seconds: float, events: list[Manifest]) -> SandboxUnavailable:
    """Return the fault of a pod that did not start in time, with the last thing that went wrong with it."""
    why = (state.stuck or state.waiting or state.said) if state else "the Job made no pod"
    warnings = [event for event in events if event.get("type") == "Warning"]
    if warnings:
        last = max(warnings, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        why = f"{why} ({last.get('reason', '')}: {str(last.get('message', ''))[:400]})"
    return SandboxUnavailable(f"the sandbox's pod did not start within {seconds:.0f} s{_because(why)}")


def _because(why: str) -> str:
    return f": {why}" if why else ""


def log_limit(execution: Execution) -> int:
    """Return how many bytes the launcher's log can have."""
    limits = execution.limits
    told = 2 * limits.output_bytes + (KEPT_BYTES + limits.workspace_files * 2_048 if execution.workspace else 0)
    return told * 3 // 2 + int(limits.wall_seconds) * 256 + _LINE_EXTRA


def read_log(log: bytes, limits: Limits) -> Relay:
    """Return what a launcher's log holds; a last line that was cut is passed over."""
    relay = Relay(limits)
    relay.feed(log)
    return relay


def result_of(state: PodState, told: Relay, execution: Execution) -> ExecutionResult | None:
    """Return how a program ended; nothing when neither launcher nor Kubernetes tell.

    Raises:
        SandboxUnavailable: The launcher could not start it.
    """
    if told.report.get("open_network"):
        raise SandboxRefused(
            "the cluster does not enforce network policies (its pods reach its API), so the program was not run: "
            "it needs a network plugin that does, such as Calico or Cilium"
        )
    if fault := told.report.get("fault"):
        raise SandboxRefused(f"the image {state.image} cannot run this language: {fault}", image=state.image)
    if told.report:
        return result_of_report(told, execution, oom_kills=int(state.reason == "OOMKilled"))
    ended = _ended_from_outside(state, execution.limits)
    if ended is None:
        return None
    reason, exit_code, seconds = ended
    return ExecutionResult(
        reason=reason, exit_code=exit_code, stdout=told.stdout.text, stderr=told.stderr.text, seconds=seconds
    )


def _ended_from_outside(state: PodState, limits: Limits) -> tuple[ExitReason, int | None, float] | None:
    """Return how a program ended whose launcher wrote no report, so that somebody outside of the pod ended it."""
    killed = SIGNAL_BASE + signal.SIGKILL
    if state.reason == "OOMKilled":
        return ExitReason.OUT_OF_MEMORY, killed, state.seconds
    if state.reason == "DeadlineExceeded":
        return ExitReason.TIMEOUT, None, state.seconds or limits.wall_seconds
    if state.reason == "Evicted" or state.deleted or state.exit_code in {killed, SIGNAL_BASE + signal.SIGTERM}:
        return ExitReason.KILLED, state.exit_code, state.seconds
    return None


def why_no_pod(job: Manifest, events: list[Manifest]) -> SandboxUnavailable | None:
    """Return the fault of a Job that has no pod, if its conditions or events tell one."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            why = f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
            return SandboxUnavailable(f"the Job failed before its program started: {why[:500]}")
    for event in events:
        if event.get("reason") == "FailedCreate":
            return refusal(str(event.get("message", ""))[:500])
    return None


def refusal(message: str, **details: Any) -> SandboxUnavailable:  # noqa: ANN401 -- JSON values
    """Return the fault of something the cluster forbids: a quota is full for a while, other rules stay."""
    if "exceeded quota" in message:
        return SandboxUnavailable(f"the quota of the sandbox's namespace is used up: {message}", **details)
    return SandboxRefused(f"the cluster does not allow the sandbox: {message}", **details)
