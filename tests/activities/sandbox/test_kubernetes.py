"""Programs run as Kubernetes Jobs, and their end is told exactly, whatever the cluster does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from activities.sandbox.contracts import Execution, ExecutionResult, ExitReason, Limits, SandboxUnavailable
from activities.sandbox.enclosure import SecretNotText
from activities.sandbox.kubernetes import KubernetesSandbox, open_kubernetes_sandbox
from activities.sandbox.kubernetes_api import ClusterSilent, Patience
from activities.sandbox.kubernetes_manifest import PodTemplate, ProgramTooLarge, job, name_of
from activities.sandbox.kubernetes_outcome import SandboxRefused
from catalogs.row import Language
from tests.activities.sandbox.kubernetes_cluster import TOKEN, Cluster, killing, serve_cluster, waiting

TEMPLATE = PodTemplate(namespace="sandboxes", image="registry.example/sandbox:1", start_seconds=5)
QUICK = Patience(request_seconds=0.5, attempts=3, first_delay=0.02, longest_delay=1.0)
SLEEPER = "print('so far', flush=True)\nimport time\ntime.sleep(60)"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serve_cluster(tmp_path) as served:
        yield served


@pytest.fixture
async def opened(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def open_one(token: str = TOKEN, template: PodTemplate = TEMPLATE) -> KubernetesSandbox:
            path = kubeconfig(tmp_path, cluster.address, token)
            return await stack.enter_async_context(open_kubernetes_sandbox(template, path, QUICK))

        yield open_one


@pytest.fixture
async def sandbox(opened: Callable[..., Any]) -> KubernetesSandbox:
    one: KubernetesSandbox = await opened()
    return one


def kubeconfig(folder: Path, server: str, token: str) -> Path:
    path = folder / "kubeconfig"
    named = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", **named}))
    return path


def program(code: str, language: Language = Language.PYTHON, *, key: str = "", stdin: str = "", **limits: float) -> Any:
    given = Limits.model_validate({"wall_seconds": 10.0, "memory_bytes": 256 * 2**20, **limits})
    return Execution(language=language, code=code, stdin=stdin, key=key, limits=given)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        (Language.PYTHON, "import sys\nprint(sys.stdin.read().upper())\nprint('é', file=sys.stderr)"),
        (Language.SHELL, "tr a-zä A-ZÄ < /dev/stdin | sed 's/ä/Ä/'; echo; echo é >&2"),
        (Language.JAVASCRIPT, "console.log(require('fs').readFileSync(0, 'utf8').toUpperCase()); console.error('é')"),
    ],
)
async def test_each_language_reads_its_input_and_prints(
    sandbox: KubernetesSandbox, cluster: Cluster, language: Language, code: str
) -> None:
    result = await sandbox.execute(program(code, language, stdin="hällo", memory_bytes=512 * 2**20))
    assert (result.reason, result.exit_code, result.truncated) == (ExitReason.OK, 0, False)
    assert (result.stdout, result.stderr) == ("HÄLLO\n", "é\n")
    assert {kind for kind, _ in cluster.objects} == {"networkpolicies"}


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        ("raise SystemExit(3)", ExitReason.ERROR, 3),
        ("import os\nos.kill(os.getpid(), 9)", ExitReason.KILLED, 137),
        ("x = bytearray(10**9)", ExitReason.OUT_OF_MEMORY, 1),
        ("while True: pass", ExitReason.TIMEOUT, 152),
        ("import time\ntime.sleep(60)", ExitReason.TIMEOUT, None),
        ("raise SystemExit(255)", ExitReason.ERROR, 255),
    ],
)
async def test_the_end_of_a_program_is_told(
    sandbox: KubernetesSandbox, code: str, reason: ExitReason, exit_code: int
) -> None:
    result = await sandbox.execute(program(code, wall_seconds=2.0, cpu_seconds=1))
    assert (result.reason, result.exit_code) == (reason, exit_code)


@pytest.mark.parametrize(
    ("node", "reason", "exit_code"),
    [
        (killing("OOMKilled"), ExitReason.OUT_OF_MEMORY, 137),
        (killing(reason="DeadlineExceeded", message="active on the node longer"), ExitReason.TIMEOUT, None),
        (killing(reason="Evicted", message="exceeded its local ephemeral storage"), ExitReason.KILLED, 137),
        (killing(), ExitReason.KILLED, 137),
    ],
    ids=["out of memory", "deadline", "evicted", "killed"],
)
async def test_what_the_cluster_does_to_a_program_is_told_and_its_output_kept(
    sandbox: KubernetesSandbox, cluster: Cluster, node: Any, reason: ExitReason, exit_code: int | None
) -> None:
    cluster.node = node
    result = await sandbox.execute(program(SLEEPER))
    assert (result.reason, result.exit_code, result.stdout) == (reason, exit_code, "so far\n")


async def test_a_pod_that_somebody_deletes_was_killed(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    task = asyncio.create_task(sandbox.execute(program(SLEEPER)))
    await until(lambda: any(pod["status"]["phase"] == "Running" for pod in cluster.of("pods")))
    (pod,) = cluster.of("pods")
    cluster.put("pods", pod, "DELETED")
    assert (await task).reason is ExitReason.KILLED


async def test_output_is_cut_at_its_limit_and_never_holds_the_program_up(sandbox: KubernetesSandbox) -> None:
    code = "import sys\nprint('x' * 3_000_000)\nsys.stderr.buffer.write(b'a\\xff\\x00b')"
    result = await sandbox.execute(program(code))
    assert (len(result.stdout), result.truncated, result.reason) == (256 * 1024, True, ExitReason.OK)
    assert result.stderr == "a\ufffd\x00b"


async def test_large_input_arrives_whole_and_a_program_that_is_too_large_is_refused(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    code = f"import sys\nx = {'y' * 500_000!r}\nprint(len(x), len(sys.stdin.read()))"
    assert (await sandbox.execute(program(code, stdin="z" * 3_000_000))).stdout == "500000 3000000\n"
    asked = len(cluster.requests)
    with pytest.raises(ProgramTooLarge, match="make them smaller") as caught:
        await sandbox.execute(program("#" * 1_000_001))
    assert not caught.value.retryable
    assert len(cluster.requests) == asked


async def test_a_program_cannot_reach_the_process_that_reports_on_it(sandbox: KubernetesSandbox) -> None:
    code = (
        "import os\nfor number in range(1, 65):\n    try: os.kill(1, number)\n    except OSError: pass\n"
        "for path in ('fd/1', 'mem', 'environ'):\n    try: open(f'/proc/1/{path}', 'rb')\n"
        "    except PermissionError: print('denied')\n"
        "print('0 e30=')\nif os.fork() == 0: os.setsid(); import time; time.sleep(60)"
    )
    result = await sandbox.execute(program(code))
    assert (result.reason, result.stdout) == (ExitReason.OK, "denied\ndenied\ndenied\n0 e30=\n")


async def test_secrets_are_in_the_secret_alone_and_reach_the_program_alone(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    execution = program("import os\nprint(os.environ['KEY'], os.environ['HOME'])").model_copy(
        update={"environment": {"KEY": SecretStr("plän\nted")}}
    )
    assert (await sandbox.execute(execution)).stdout == "plän\nted /work\n"
    sent = [body for body in cluster.bodies if body and body.get("kind") != "Secret"]
    assert all("ted" not in json.dumps(body, ensure_ascii=False).replace("restricted", "") for body in sent)
    with pytest.raises(SecretNotText, match="KEY") as caught:
        await sandbox.execute(execution.model_copy(update={"environment": {"KEY": SecretStr("pl\0anted")}}))
    assert "anted" not in str(caught.value)


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
    opened: Callable[..., Any], cluster: Cluster, node: Any, fault: type[SandboxUnavailable], said: str
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
    opened: Callable[..., Any], cluster: Cluster, status: Any, fault: type[SandboxUnavailable], said: str
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


async def test_wrong_credentials_are_told(opened: Callable[..., Any]) -> None:
    with pytest.raises(SandboxRefused, match="credentials are wrong"):
        await (await opened(token="wrong")).execute(program("1"))


async def test_what_a_refusal_says_of_secrets_is_not_repeated(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    cluster.fail("POST", "secrets", 422, "data: Invalid value: cGxhbnRlZA==")
    with pytest.raises(SandboxRefused, match="422.: Invalid$") as caught:
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
        with pytest.raises(ClusterSilent, match=r"http://127.0.0.1:9 does not answer, 3 times: .*refused") as caught:
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


async def test_a_cancelled_call_deletes_job_and_secret_and_ends_the_program(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    task = asyncio.create_task(sandbox.execute(program(SLEEPER, key="k")))
    await until(lambda: any(pod["status"]["phase"] == "Running" for pod in cluster.of("pods")))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {kind for kind, _ in cluster.objects} == {"networkpolicies"}
    deleted = [body for body in cluster.bodies if body.get("kind") == "DeleteOptions"]
    assert all(body["propagationPolicy"] == "Background" for body in deleted)


async def test_the_next_attempt_finds_the_program_that_the_last_one_lost_sight_of(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    execution = program("import time\ntime.sleep(0.5)\nprint(1)", key="wf/run/7")
    cluster.fail("GET", "pods", 503, times=3)
    with pytest.raises(ClusterSilent):
        await sandbox.execute(execution)
    assert (await sandbox.execute(execution)).stdout == "1\n"
    assert (await sandbox.execute(execution)).stdout == "1\n"
    assert cluster.runs == 1
    assert not cluster.of("secrets")
    assert (await sandbox.execute(program("print(2)", key="wf/run/8"))).stdout == "2\n"


async def test_an_attempt_that_was_replaced_does_not_take_the_program_from_its_successor(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    execution = program("import time\ntime.sleep(1)\nprint(1)", key="k")
    first = asyncio.create_task(sandbox.execute(execution))
    await until(lambda: any(pod["status"]["phase"] == "Running" for pod in cluster.of("pods")))
    second = asyncio.create_task(sandbox.execute(execution))
    await until(lambda: ("patch", "jobs", "") in cluster.requests)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    result: ExecutionResult = await second
    assert (result.stdout, cluster.runs) == ("1\n", 1)


async def test_an_attempt_that_meets_a_job_on_its_way_out_is_to_come_again(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    leaving = job(name_of("k"), program("1"), TEMPLATE, "h")
    leaving["metadata"] |= {"deletionTimestamp": "2026-11-24T00:00:00Z", "uid": "u"}
    cluster.put("jobs", leaving)
    with pytest.raises(SandboxUnavailable, match="just being removed") as caught:
        await sandbox.execute(program("1", key="k"))
    assert caught.value.retryable


async def test_no_pod_starts_without_the_policy_that_cuts_it_off(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    await asyncio.gather(*(sandbox.execute(program(":", Language.SHELL)) for _ in range(3)))
    (policy,) = cluster.of("networkpolicies")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    policy["spec"]["egress"] = [{}]
    with pytest.raises(SandboxRefused, match="not the one that denies everything"):
        await sandbox.execute(program("1"))
    assert cluster.runs == 3


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)
