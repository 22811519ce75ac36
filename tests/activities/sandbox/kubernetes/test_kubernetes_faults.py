"""A cluster that refuses, stumbles, falls silent or starts nothing says so, and loses no program."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.sandbox.contracts import SandboxUnavailable
from activities.sandbox.kubernetes import KubernetesSandbox, open_kubernetes_sandbox
from activities.sandbox.kubernetes_api import ClusterSilent
from activities.sandbox.kubernetes_manifest import PodTemplate
from activities.sandbox.kubernetes_outcome import SandboxRefused
from catalogs.row import Language
from tests.activities.sandbox.kubernetes.cluster import TOKEN, Cluster
from tests.activities.sandbox.kubernetes.conftest import QUICK, TEMPLATE, Open, kubeconfig, program
from tests.activities.sandbox.kubernetes.node import Node, waiting


@pytest.mark.parametrize(
    ("node", "fault", "said"),
    [
        (waiting("ImagePullBackOff", "manifest unknown"), SandboxUnavailable, "image registry.example/sandbox:1"),
        (waiting("InvalidImageName", "bad"), SandboxRefused, "image registry.example/sandbox:1"),
        (waiting("CreateContainerError", "no runtime"), SandboxUnavailable, "no runtime"),
        (waiting("ContainerCreating"), SandboxUnavailable, "did not start within 1 s: ContainerCreating"),
    ],
)
async def test_a_pod_that_does_not_start_says_why_and_leaves_nothing(
    opened: Open, cluster: Cluster, node: Node, fault: type[SandboxUnavailable], said: str
) -> None:
    cluster.node = node
    one = await opened(template=PodTemplate("sandboxes", "registry.example/sandbox:1", start_seconds=1))
    with pytest.raises(SandboxUnavailable, match=said) as caught:
        await one.execute(program("print(1)", key="k"))
    assert type(caught.value) is fault
    assert {kind for kind, _ in cluster.objects} == {"networkpolicies"}


@pytest.mark.parametrize(
    ("status", "fault", "said"),
    [
        (
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes: no memory",
                    }
                ],
            },
            SandboxUnavailable,
            "Unschedulable: 0/1 nodes: no memory",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    {
                        "name": "program",
                        "state": {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no python3"}},
                    }
                ],
            },
            SandboxRefused,
            "needs python3: no python3",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "node was low on memory"},
            SandboxUnavailable,
            "before the program started .Evicted.: node was low",
        ),
    ],
)
async def test_a_pod_that_ends_or_waits_before_its_program_is_no_result(
    opened: Open, cluster: Cluster, status: Any, fault: type[SandboxUnavailable], said: str
) -> None:
    async def node(cluster: Cluster, pod: Any) -> None:
        pod["status"] = status
        cluster.put("pods", pod)

    cluster.node = node
    one = await opened(template=PodTemplate("sandboxes", "i", start_seconds=1))
    with pytest.raises(SandboxUnavailable, match=said) as caught:
        await one.execute(program("print(1)"))
    assert type(caught.value) is fault


async def test_an_image_without_the_language_is_named(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    log = b"0 eyJmYXVsdCI6ICJub2RlOiBObyBzdWNoIGZpbGUifQ==\n"

    async def node(cluster: Cluster, pod: Any) -> None:
        cluster.log_of(pod).write_bytes(log)
        cluster.show(pod, "Failed", {"terminated": {"exitCode": 126, "reason": "Error"}})

    cluster.node = node
    with pytest.raises(SandboxRefused, match=r"image registry.example/sandbox:1 .* node: No such file"):
        await sandbox.execute(program("1", Language.JAVASCRIPT))


async def test_a_pod_that_waits_too_long_tells_what_went_wrong_last(opened: Open, cluster: Cluster) -> None:
    async def node(cluster: Cluster, pod: Any) -> None:
        about = {"kind": "Pod", "name": pod["metadata"]["name"]}
        for minute, message in enumerate(("runc create failed", "network plugin is not ready")):
            event = {"type": "Warning", "reason": "FailedCreatePodSandBox", "message": message}
            event |= {"lastTimestamp": f"2026-11-24T00:0{minute}:00Z", "involvedObject": about}
            cluster.put("events", {"metadata": {"name": f"e{minute}"}, **event})
        cluster.show(pod, "Pending", {"waiting": {"reason": "ContainerCreating"}})

    cluster.node = node
    one = await opened(template=PodTemplate("sandboxes", "i", start_seconds=1))
    with pytest.raises(SandboxUnavailable, match=r"within 1 s: ContainerCreating .*network plugin is not ready"):
        await one.execute(program("print(1)"))


async def test_a_cluster_that_enforces_no_network_policy_runs_nothing(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    cluster.isolated = False
    with pytest.raises(SandboxRefused, match="does not enforce network policies"):
        await sandbox.execute(program("print(1)"))
    assert not cluster.of("jobs")


async def test_a_quota_that_is_full_is_told_though_no_pod_appears(
    sandbox: KubernetesSandbox, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.sandbox.kubernetes_wait._NO_POD_SECONDS", 0.1)

    async def no_pod(made: Any, pod: Any) -> None:
        about = {"kind": "Job", "name": made["metadata"]["name"]}
        message = 'pods "x" is forbidden: exceeded quota: small, requested: limits.memory=560Mi'
        event = {"metadata": {"name": "e"}, "reason": "FailedCreate", "message": message, "involvedObject": about}
        cluster.put("events", event)

    monkeypatch.setattr(cluster, "_control", no_pod)
    with pytest.raises(SandboxUnavailable, match="quota of the sandbox's namespace is used up") as caught:
        await sandbox.execute(program("1"))
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("status", "message", "said", "retryable"),
    [
        (401, "Unauthorized", "credentials are wrong", False),
        (403, "jobs.batch is forbidden: User cannot create", "does not allow the sandbox: jobs.batch", False),
        (403, "jobs.batch is forbidden: exceeded quota: small", "quota of the sandbox's namespace", True),
        (404, "namespace not found", "no namespace sandboxes", False),
        (422, "spec.template: Invalid value", "does not take .* .422.: spec.template", False),
        (400, "strict decoding error", "does not take .* .400.", False),
    ],
)
async def test_what_the_cluster_refuses_is_asked_once_and_told(
    sandbox: KubernetesSandbox, cluster: Cluster, status: int, message: str, said: str, retryable: bool
) -> None:
    cluster.fail("POST", "jobs", status, message)
    with pytest.raises(SandboxUnavailable, match=said) as caught:
        await sandbox.execute(program("1"))
    assert caught.value.retryable is retryable
    assert [verb for verb, kind, _ in cluster.requests if kind == "jobs"].count("create") == 1


async def test_wrong_credentials_are_told(opened: Open) -> None:
    with pytest.raises(SandboxRefused, match="credentials are wrong"):
        await (await opened("wrong")).execute(program("1"))


async def test_what_a_refusal_says_of_secrets_is_not_repeated(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    cluster.fail("POST", "secrets", 422, "data: Invalid value: cGxhbnRlZA==")
    with pytest.raises(SandboxRefused, match=r"422.: Invalid$") as caught:
        await sandbox.execute(program("1"))
    assert "cGxh" not in str(caught.value)
    assert not cluster.of("jobs")


@pytest.mark.parametrize("path", ["networkpolicies", "jobs", "secrets", "pods", "pods/log"])
async def test_a_server_that_stumbles_is_asked_again(sandbox: KubernetesSandbox, cluster: Cluster, path: str) -> None:
    method = "POST" if path in {"networkpolicies", "jobs", "secrets"} else "GET"
    cluster.fail(method, path, 500)
    cluster.hang(method, path)
    assert (await sandbox.execute(program("print(1)"))).stdout == "1\n"
    assert cluster.runs == 1


async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    cluster.fail("POST", "jobs", 429, "too many requests", Retry_After="1")
    begin = asyncio.get_running_loop().time()
    assert (await sandbox.execute(program("print(1)"))).stdout == "1\n"
    assert asyncio.get_running_loop().time() - begin >= 1.0


async def test_a_server_that_stays_away_is_given_up_with_its_address(cluster: Cluster, tmp_path: Path) -> None:
    nobody = kubeconfig(tmp_path, "http://127.0.0.1:9", TOKEN)
    async with open_kubernetes_sandbox(TEMPLATE, nobody, QUICK) as one:
        with pytest.raises(
            ClusterSilent, match=r"http://127.0.0.1:9 does not answer, 3 times: .*Connect call failed"
        ) as caught:
            await one.execute(program("1"))
    assert caught.value.retryable
    async with open_kubernetes_sandbox(TEMPLATE, kubeconfig(tmp_path, cluster.address, TOKEN), QUICK) as one:
        cluster.fail("GET", "networkpolicies", 503, "etcd has no leader", times=3)
        with pytest.raises(ClusterSilent, match="503 etcd has no leader"):
            await one.execute(program("1"))


@pytest.mark.parametrize("status", [0, 410], ids=["cut off", "gone"])
async def test_a_watch_that_breaks_is_taken_up_again(sandbox: KubernetesSandbox, cluster: Cluster, status: int) -> None:
    cluster.break_watches(status, times=2)
    assert (await sandbox.execute(program("import time\ntime.sleep(0.3)\nprint(1)"))).stdout == "1\n"
    assert [verb for verb, _, _ in cluster.requests].count("watch") >= 3
