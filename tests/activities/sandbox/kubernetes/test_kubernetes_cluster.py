"""What only a real cluster does: kubectl apply -f activities/sandbox/kubernetes.yaml, then set two variables.

``PRISM_TEST_KUBECONFIG`` names a file with the rights of the role there, ``PRISM_TEST_SANDBOX_IMAGE`` an image.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.sandbox.contracts import ExitReason, SandboxUnavailable
from activities.sandbox.kubernetes import KubernetesSandbox, open_kubernetes_sandbox
from activities.sandbox.kubernetes_api import ClusterApi, open_client
from activities.sandbox.kubernetes_manifest import PodTemplate, name_of
from activities.sandbox.kubernetes_outcome import SandboxRefused
from tests.activities.sandbox.kubernetes.conftest import program

CONFIG = os.environ.get("PRISM_TEST_KUBECONFIG", "")
IMAGE = os.environ.get("PRISM_TEST_SANDBOX_IMAGE", "")
NAMESPACE = "prism-sandbox"
KEY = f"a test of process {os.getpid()}"
FORKING = (
    "import os, time\nprint('so far', flush=True)\nfor _ in range(8):\n    if os.fork() == 0:\n"
    "        x = bytearray(100 * 2**20)\n        time.sleep(60); os._exit(0)\n"
    "[os.wait() for _ in range(3)]\nraise SystemExit(7)"
)

pytestmark = pytest.mark.skipif(not (CONFIG and IMAGE), reason="PRISM_TEST_KUBECONFIG names no cluster")


@pytest.fixture
async def real() -> AsyncIterator[KubernetesSandbox]:
    async with open_kubernetes_sandbox(PodTemplate(NAMESPACE, IMAGE), Path(CONFIG)) as one:
        yield one


@pytest.fixture
async def api() -> AsyncIterator[ClusterApi]:
    async with open_client(Path(CONFIG)) as client:
        yield ClusterApi(client, NAMESPACE)


@pytest.mark.parametrize(
    ("code", "reason", "exit_codes"),
    [
        ("print('so far')\nraise SystemExit(3)", ExitReason.ERROR, {3}),
        ("print('so far')\nimport os\nos.kill(os.getpid(), 9)", ExitReason.KILLED, {137}),
        ("print('so far')\nx = bytearray(10**9)", ExitReason.OUT_OF_MEMORY, {1}),
        (FORKING, ExitReason.OUT_OF_MEMORY, {7, 137}),  # the kernel kills one process, or all in the container
        ("print('so far')\nwhile True: pass", ExitReason.TIMEOUT, {152}),
        ("print('so far')\nimport time\ntime.sleep(60)", ExitReason.TIMEOUT, {None}),
    ],
    ids=["error", "killed", "memory of one", "memory of all", "cpu", "wall clock"],
)
async def test_the_end_of_a_program_is_told(
    real: KubernetesSandbox, code: str, reason: ExitReason, exit_codes: set[int | None]
) -> None:
    result = await real.execute(program(code, wall_seconds=5.0 if None in exit_codes else 30.0, cpu_seconds=1))
    assert result.reason is reason
    assert result.exit_code in exit_codes
    assert result.stdout.startswith("so far\n")


async def test_a_program_can_write_to_its_three_folders_and_nowhere_else(real: KubernetesSandbox) -> None:
    code = (
        "import os\nfor folder in ('/work', '/tmp', '/dev/shm', '/', '/run/prism', '/etc'):\n"
        "    total = 0\n    try:\n"
        "        for n in range(99):\n"
        "            with open(f'{folder}/{n}', 'wb') as f: total += f.write(bytes(2**20))\n"
        "    except OSError as e: print(folder, e.errno, total >> 20)\n"
        "print(os.getuid() > 10**9, os.path.exists('/var/run/secrets/kubernetes.io'), len(os.environ))"
    )
    result = await real.execute(program(code, file_bytes=8 * 2**20))
    writable = "/work 28 8\n/tmp 28 8\n/dev/shm 28 8\n"
    assert result.stdout == writable + "/ 30 0\n/run/prism 30 0\n/etc 30 0\nTrue False 4\n"


async def test_a_cancelled_call_leaves_nothing(real: KubernetesSandbox, api: ClusterApi) -> None:
    task = asyncio.create_task(real.execute(program("import time\ntime.sleep(60)", key=f"{KEY} cancelled")))
    name = name_of(f"{KEY} cancelled")
    async with asyncio.timeout(60):
        while not any(pod["status"].get("phase") == "Running" for pod in await pods_of(api, name)):
            await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await api.read("batch/v1", "jobs", name) is None
    async with asyncio.timeout(60):
        while await pods_of(api, name):
            await asyncio.sleep(0.1)


async def pods_of(api: ClusterApi, name: str) -> list[dict[str, dict[str, str]]]:
    return (await api.find("v1", "pods", labelSelector=f"prism-console/execution={name}"))[0]


async def test_a_second_attempt_finds_the_program_of_the_first(real: KubernetesSandbox, api: ClusterApi) -> None:
    execution = program("import time, uuid\ntime.sleep(3)\nprint(uuid.uuid4())", key=f"{KEY} twice")
    first = asyncio.create_task(real.execute(execution))
    second = asyncio.create_task(real.execute(execution))
    assert (await first).stdout == (await second).stdout == (await real.execute(execution)).stdout
    await api.delete("batch/v1", "jobs", name_of(execution.key))


@pytest.mark.parametrize(
    ("template", "memory_bytes", "fault", "said"),
    [
        (PodTemplate(NAMESPACE, "registry.invalid/none:1"), 2**28, SandboxUnavailable, "image registry.invalid/none:1"),
        (PodTemplate(NAMESPACE, "Not An Image"), 2**28, SandboxRefused, "Not An Image.*InvalidImageName"),
        (PodTemplate(NAMESPACE, IMAGE), 2**38, SandboxUnavailable, "quota of the sandbox's namespace is used up"),
        (PodTemplate(NAMESPACE, IMAGE, "no-such-class"), 2**28, SandboxRefused, "no-such-class"),
        (PodTemplate("default", IMAGE), 2**28, SandboxRefused, "does not allow the sandbox: .*default"),
    ],
    ids=["no image", "no name", "quota", "runtime class", "another namespace"],
)
async def test_what_keeps_a_program_from_running_is_told(
    template: PodTemplate, memory_bytes: int, fault: type[SandboxUnavailable], said: str
) -> None:
    async with open_kubernetes_sandbox(template, Path(CONFIG)) as one:
        with pytest.raises(SandboxUnavailable, match=said) as caught:
            await one.execute(program("print(1)", memory_bytes=memory_bytes))
    assert type(caught.value) is fault
