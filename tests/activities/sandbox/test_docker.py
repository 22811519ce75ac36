"""What a Docker engine is asked, what it must not show, and what becomes of its faults."""

import asyncio
import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from pydantic import SecretStr

from activities.sandbox.container import LABEL, UNTIL
from activities.sandbox.contracts import Execution, ExitReason, Limits, SandboxUnavailable
from activities.sandbox.docker import DockerSandbox
from catalogs.row import Language
from tests.activities.sandbox.conftest import sandboxed_processes, until
from tests.activities.sandbox.engine import IMAGE

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def client(docker_engine: str) -> Iterator[APIClient]:
    with closing(APIClient(base_url=docker_engine, version="auto")) as client:
        yield client


@pytest.fixture
async def docker(docker_engine: str) -> AsyncIterator[DockerSandbox]:
    docker = DockerSandbox(IMAGE, docker_engine)
    yield docker
    await docker.close()


async def inspected(docker: DockerSandbox, client: APIClient, program: Execution) -> dict[str, Any]:
    """Run a program, and return what the engine told of its container meanwhile."""
    running = asyncio.create_task(docker.execute(program))
    await until(lambda: bool(client.containers()))
    told: dict[str, Any] = client.inspect_container(client.containers()[0]["Id"])
    await running
    return told


async def test_a_container_has_no_privilege_and_nothing_to_write_to(docker: DockerSandbox, client: APIClient) -> None:
    limits = Limits(memory_bytes=1 << 27, processes=20, file_bytes=1 << 20)
    told = await inspected(docker, client, Execution(language=Language.SHELL, code="sleep 1", limits=limits))
    host = told["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Privileged"]) == ("none", True, False)
    assert (host["CapDrop"], host["CapAdd"], host["Binds"]) == (["ALL"], None, None)
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (1 << 27, 1 << 27, 21)
    assert (host["NanoCpus"], host["ShmSize"], host["LogConfig"]["Type"]) == (10**9, 1 << 20, "none")
    assert host["SecurityOpt"][0] == "no-new-privileges:true"
    assert set(host["Tmpfs"]) == {"/work", "/tmp", "/program"}  # noqa: S108
    assert int(told["Config"]["User"].partition(":")[0]) >= 1_900_000_000
    assert client.containers(all=True) == []


async def test_the_engine_is_shown_neither_program_nor_secrets(docker: DockerSandbox, client: APIClient) -> None:
    program = Execution(
        language=Language.SHELL,
        code="sleep 1; echo canary-program",
        stdin="canary-input",
        environment={"TOKEN": SecretStr("canary-secret")},
    )
    assert "canary" not in json.dumps(await inspected(docker, client, program))


async def test_what_a_killed_worker_leaves_behind_is_removed(
    docker_engine: str, client: APIClient, tmp_path: Path
) -> None:
    worker = tmp_path / "worker.py"
    worker.write_text(
        textwrap.dedent(f"""
        import asyncio
        from activities.sandbox.docker import DockerSandbox
        from activities.sandbox.contracts import Execution
        asyncio.run(DockerSandbox({IMAGE!r}, {docker_engine!r}).execute(Execution(language="shell", code="sleep 60")))
        """)
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, worker, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    await until(lambda: bool(client.containers()))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    (left,) = client.containers(filters={"label": LABEL})
    assert time.time() < int(left["Labels"][UNTIL]) < time.time() + 200
    client.remove_container(left["Id"], force=True)
    over = client.create_container(IMAGE, ["bash"], labels={LABEL: "program", UNTIL: str(int(time.time()) - 1)})
    other = client.create_container(IMAGE, ["bash"])
    sandbox = DockerSandbox(IMAGE, docker_engine)
    assert (await sandbox.execute(Execution(language=Language.SHELL, code="echo ran"))).stdout == "ran\n"
    await sandbox.close()
    assert [one["Id"] for one in client.containers(all=True)] == [other["Id"]]
    assert over["Id"] != other["Id"]
    client.remove_container(other["Id"])


async def test_a_call_that_is_cancelled_at_any_moment_leaves_nothing(docker: DockerSandbox, client: APIClient) -> None:
    for delay in (0.0, 0.01, 0.05, 0.1, 0.2):
        task = asyncio.create_task(docker.execute(Execution(language=Language.SHELL, code="sleep 60")))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert client.containers(all=True) == []
    await until(lambda: not sandboxed_processes())


async def test_an_image_that_is_not_there_is_final_and_named(docker_engine: str) -> None:
    sandbox = DockerSandbox("no-such/image:1", docker_engine)
    with pytest.raises(SandboxUnavailable, match="no image no-such/image:1: build or pull it") as refused:
        await sandbox.execute(Execution(language=Language.SHELL, code=":"))
    await sandbox.close()
    assert not refused.value.retryable


async def test_a_runtime_that_the_engine_does_not_know_is_final_and_named(docker_engine: str) -> None:
    sandbox = DockerSandbox(IMAGE, docker_engine, "runsc")
    with pytest.raises(SandboxUnavailable, match="runsc") as refused:
        await sandbox.execute(Execution(language=Language.SHELL, code=":"))
    await sandbox.close()
    assert not refused.value.retryable


async def test_an_image_without_the_interpreter_is_told_from_a_program_that_chose_its_exit_code(
    docker: DockerSandbox, client: APIClient, docker_engine: str
) -> None:
    chosen = await docker.execute(Execution(language=Language.SHELL, code="exit 124"))
    assert (chosen.reason, chosen.exit_code) == (ExitReason.ERROR, 124)
    made = client.create_container(IMAGE, ["bash", "-c", "rm /usr/bin/node"])
    client.start(made["Id"])
    client.wait(made["Id"])
    client.commit(made["Id"], "prism-tests/without-node", "1")
    client.remove_container(made["Id"])
    sandbox = DockerSandbox("prism-tests/without-node:1", docker_engine)
    with pytest.raises(SandboxUnavailable, match="has no node, which javascript needs") as refused:
        await sandbox.execute(Execution(language=Language.JAVASCRIPT, code=""))
    await sandbox.close()
    assert not refused.value.retryable
    assert client.containers(all=True) == []


async def test_an_engine_that_is_down_may_be_tried_again(tmp_path: Path) -> None:
    sandbox = DockerSandbox(IMAGE, f"unix://{tmp_path / 'none.sock'}")
    with pytest.raises(
        SandboxUnavailable, match=r"does not answer .No such file or directory.: is it running"
    ) as refused:
        await sandbox.execute(Execution(language=Language.SHELL, code=":"))
    assert refused.value.retryable
