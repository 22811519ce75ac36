"""Programs run as Kubernetes Jobs, once, and their end is told exactly."""

import asyncio
import json
import os

import pytest
from pydantic import SecretStr

from activities.sandbox.contracts import ExecutionResult, ExitReason, SandboxUnavailable, SecretNotText, Workspace
from activities.sandbox.kubernetes import KubernetesSandbox
from activities.sandbox.kubernetes_api import ClusterSilent
from activities.sandbox.kubernetes_manifest import ProgramTooLarge, job, name_of
from activities.sandbox.kubernetes_outcome import SandboxRefused
from catalogs.row import Language
from tests.activities.sandbox.conftest import until
from tests.activities.sandbox.kubernetes.cluster import Cluster
from tests.activities.sandbox.kubernetes.conftest import TEMPLATE, program
from tests.activities.sandbox.kubernetes.node import Node, killing

SLEEPER = "print('so far', flush=True)\nimport time\ntime.sleep(60)"


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
    # A busy machine takes long to give a program its second of processor time.
    result = await sandbox.execute(program(code, wall_seconds=1.0 if exit_code is None else 30.0, cpu_seconds=1))
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
    sandbox: KubernetesSandbox, cluster: Cluster, node: Node, reason: ExitReason, exit_code: int | None
) -> None:
    cluster.node = node
    result = await sandbox.execute(program(SLEEPER))
    assert (result.reason, result.exit_code, result.stdout, result.seconds) == (reason, exit_code, "so far\n", 2.0)


async def test_a_pod_that_somebody_deletes_was_killed(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    task = asyncio.create_task(sandbox.execute(program(SLEEPER)))
    await until(cluster.watched)
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


async def test_files_go_into_a_pod_and_come_out_of_its_log(sandbox: KubernetesSandbox, cluster: Cluster) -> None:
    code = "data = open('inputs/a/x', 'rb').read()\nopen('y', 'wb').write(data * 2)\nopen('z', 'w').close()"
    found = bytes(range(256)) * 2_000
    execution = program(code, key="k").model_copy(
        update={"workspace": Workspace(files={"inputs/a/x": found}, keep=("y",))}
    )
    for _ in range(2):  # the second time it is the log of the first that is read
        result = await sandbox.execute(execution)
        assert (result.reason, result.stderr, result.unkept) == (ExitReason.OK, "", "")
        assert result.files == {"y": found * 2}
    assert cluster.runs == 1


async def test_files_that_do_not_fit_into_a_log_or_a_secret_are_refused_by_name(sandbox: KubernetesSandbox) -> None:
    large = program("open('x', 'wb').write(bytes(5 * 2**20))").model_copy(update={"workspace": Workspace(keep=("*",))})
    told = "the files are larger than 4194304 bytes together, with x"
    assert (await sandbox.execute(large)).unkept == told
    noise = Workspace(files={"x": os.urandom(2**20)})
    with pytest.raises(
        ProgramTooLarge,
        match=r"its input and its files are \d+ bytes together, of which a sandbox in Kubernetes takes 1000000",
    ):
        await sandbox.execute(program("1").model_copy(update={"workspace": noise}))


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


async def test_a_cancelled_call_deletes_job_and_secret_and_ends_the_program(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    task = asyncio.create_task(sandbox.execute(program(SLEEPER, key="k")))
    await until(lambda: cluster.running)
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
    await until(lambda: cluster.running)
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


async def test_what_a_deleted_job_of_the_same_name_left_behind_does_not_matter(
    sandbox: KubernetesSandbox, cluster: Cluster
) -> None:
    name = name_of("k")
    labels = {"prism-console/execution": name, "batch.kubernetes.io/controller-uid": "another"}
    about = {"name": f"{name}-old", "labels": labels, "creationTimestamp": "2026-11-23T00:00:00Z", "uid": "old"}
    template = job(name, program("1"), TEMPLATE, "h")["spec"]["template"]
    cluster.put("pods", {**template, "metadata": about, "status": {"phase": "Running"}})
    left = {"name": f"{name}-12345678", "ownerReferences": [{"uid": "another"}]}
    cluster.put("secrets", {"metadata": left, "data": {"task.json": ""}})
    assert (await sandbox.execute(program("print(1)", key="k"))).stdout == "1\n"
