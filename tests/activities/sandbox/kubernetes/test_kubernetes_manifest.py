"""What is sent to Kubernetes is what its schema knows, meets its strictest standard, and needs few rights."""

import asyncio
import copy
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import SecretStr

from activities.sandbox import kubernetes_manifest as manifests
from activities.sandbox.contracts import Execution, InvalidSandbox, Limits, SandboxUnavailable
from activities.sandbox.kubernetes import KubernetesSandbox
from activities.sandbox.kubernetes_api import ClusterSilent
from activities.sandbox.kubernetes_manifest import Manifest, PodTemplate
from catalogs.row import Language
from tests.activities.sandbox.kubernetes.cluster import Cluster
from tests.activities.sandbox.kubernetes.conftest import Open, kubeconfig, program
from tests.activities.sandbox.kubernetes.pod_security import violations
from workers.sandbox import open_sandbox
from workers.settings import Settings

TEMPLATE = PodTemplate(namespace="sandboxes", image="registry.example/sandbox:1", runtime_class="gvisor")
EXECUTION = Execution(
    language=Language.JAVASCRIPT, code="print(1)", environment={"KEY": SecretStr("planted")}, key="workflow/run/3"
)
ACCESS = Path(manifests.__file__).with_name("kubernetes.yaml")
JOB = manifests.job(manifests.name_of("k"), EXECUTION, TEMPLATE, "holder")
VERSIONS = ("1.30", "1.33", "1.37")


def sent() -> list[Manifest]:
    secret = manifests.secret(manifests.name_of("k"), EXECUTION, TEMPLATE)
    job = {"metadata": {**JOB["metadata"], "uid": "6d1bb0fb-0d4a-4f5e-9a0e-1d2c3b4a5f60"}}
    return [JOB, manifests.owned(secret, job), manifests.network_policy(TEMPLATE)]


@pytest.mark.parametrize("version", VERSIONS)
def test_all_that_is_sent_and_all_that_is_to_be_applied_is_in_the_schema(version: str) -> None:
    for manifest in [*sent(), *yaml.safe_load_all(ACCESS.read_text())]:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda job: job["spec"].update(backofLimit=0),
        lambda job: job["spec"]["template"]["spec"].update(activeDeadlineSeconds="soon"),
        lambda job: job["spec"]["template"]["spec"]["containers"][0]["securityContext"].update(privilege=False),
        lambda job: job["spec"]["template"]["spec"]["containers"][0].pop("name"),
    ],
)
def test_the_schema_would_find_a_mistake(spoil: Callable[[Manifest], Any]) -> None:
    job = copy.deepcopy(JOB)
    spoil(job)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSIONS[-1], strict=True)


def test_a_pod_is_restricted_and_more() -> None:
    pod = JOB["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert violations(pod) == []
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert (pod["restartPolicy"], JOB["spec"]["backoffLimit"], pod["runtimeClassName"]) == ("Never", 0, "gvisor")
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
    assert pod["activeDeadlineSeconds"] < JOB["spec"]["activeDeadlineSeconds"]


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda pod: pod.update(hostNetwork=True), "hostNetwork"),
        (lambda pod: pod["securityContext"].pop("runAsNonRoot"), "runAsNonRoot"),
        (lambda pod: pod["securityContext"].pop("seccompProfile"), "seccompProfile"),
        (lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "volume host"),
        (
            lambda pod: pod["containers"][0]["securityContext"]["capabilities"].pop("drop"),
            "capabilities are not dropped",
        ),
    ],
)
def test_the_standard_would_find_a_weakness(spoil: Callable[[Manifest], Any], rule: str) -> None:
    pod = copy.deepcopy(JOB["spec"]["template"]["spec"])
    spoil(pod)
    assert violations(pod) == [rule]


def test_neither_program_nor_secrets_are_in_the_job() -> None:
    assert "planted" not in str(JOB)
    assert "print(1)" not in str(JOB)


def test_the_network_policy_chooses_every_pod_of_ours() -> None:
    policy = manifests.network_policy(TEMPLATE)
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= JOB["spec"]["template"]["metadata"]["labels"].items()
    applied = {item["kind"]: item for item in yaml.safe_load_all(ACCESS.read_text())}
    assert applied["NetworkPolicy"]["spec"] == policy["spec"]
    assert applied["NetworkPolicy"]["metadata"]["name"] == policy["metadata"]["name"]


def test_names_follow_from_the_key_and_are_new_without_one() -> None:
    assert manifests.name_of("a") == manifests.name_of("a") != manifests.name_of("b")
    assert manifests.name_of("") != manifests.name_of("")
    users = {
        manifests.job(name, EXECUTION, TEMPLATE, "")["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
        for name in map(manifests.name_of, "abc")
    }
    assert len(users) == 3


def test_deadlines_follow_from_the_limits() -> None:
    short = Execution(language=Language.SHELL, code=":", limits=Limits(wall_seconds=1.5))
    pod = manifests.job("n", short, PodTemplate("n", "i", start_seconds=20), "")["spec"]["template"]["spec"]
    assert pod["activeDeadlineSeconds"] == 20 + 2 + 10


async def test_the_role_allows_what_is_asked_and_nothing_else(
    opened: Open, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = await opened(template=PodTemplate("sandboxes", "i", start_seconds=1))
    execution = program("import time\ntime.sleep(0.2)", key="k")
    cluster.fail("GET", "pods", 503, times=3)
    with pytest.raises(ClusterSilent):
        await sandbox.execute(execution)
    await sandbox.execute(execution)
    monkeypatch.setattr("activities.sandbox.kubernetes_wait._NO_POD_SECONDS", 0.0)
    monkeypatch.setattr(cluster, "_control", lambda job, pod: asyncio.sleep(0))
    with pytest.raises(SandboxUnavailable, match="the Job made no pod"):
        await sandbox.execute(program(":", Language.SHELL))
    (role,) = [item for item in yaml.safe_load_all(ACCESS.read_text()) if item["kind"] == "Role"]
    allowed = {(verb, kind) for rule in role["rules"] for verb in rule["verbs"] for kind in rule["resources"]}
    assert {(verb, kind) for verb, kind, _ in cluster.requests} == allowed


async def test_the_settings_choose_the_cluster(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        given = {"sandbox": "kubernetes", "sandbox_image": "i"}
        with pytest.raises(InvalidSandbox, match="in no pod of a cluster"):
            await open_sandbox(Settings.model_validate(given), stack)
        (tmp_path / "broken").write_text("clusters: [")
        for name in ("missing", "broken"):
            with pytest.raises(InvalidSandbox, match="PRISM_SANDBOX_KUBECONFIG="):
                await open_sandbox(Settings.model_validate({**given, "sandbox_kubeconfig": tmp_path / name}), stack)
        path = kubeconfig(tmp_path, "http://127.0.0.1:9", "t")
        opened = await open_sandbox(Settings.model_validate({**given, "sandbox_kubeconfig": path}), stack)
        assert isinstance(opened, KubernetesSandbox)
