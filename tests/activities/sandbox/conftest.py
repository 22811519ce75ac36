import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.cgroups import find_parents
from activities.sandbox.contracts import Execution, ExecutionResult, Limits, Sandbox, Workspace
from activities.sandbox.docker import DockerSandbox
from activities.sandbox.enclosure import own_python
from activities.sandbox.kubernetes import open_kubernetes_sandbox
from activities.sandbox.kubernetes_manifest import PodTemplate
from catalogs.row import Language
from tests.activities.sandbox.engine import IMAGE, EngineUnusable, engine, missing

CLUSTER = os.environ.get("PRISM_TEST_KUBECONFIG", "")
BACKENDS = ("own-user", "user-namespace", "docker", *(["kubernetes"] if CLUSTER else []))
CONTAINERS = {"docker", "kubernetes"}
PLACES_OF_PROGRAMS = (b"/run/program.", b"/program/main.", b"/run/prism/program.", b"/program/program.")
Run = Callable[..., Coroutine[Any, Any, ExecutionResult]]


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Docker engine."""
    if reason := missing():
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            address = stack.enter_context(engine(tmp_path_factory.mktemp("docker")))
        except EngineUnusable as reason:
            pytest.skip(str(reason))
        yield address


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Both ways of bubblewrap to be nobody, that of a worker that is root and that of any other; Docker; a cluster."""
    chosen: str = request.param
    return chosen


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest, backend: str) -> AsyncIterator[Sandbox]:
    """What runs programs."""
    if backend == "docker":
        docker = DockerSandbox(IMAGE, request.getfixturevalue("docker_engine"))
        yield docker
        await docker.close()
    elif backend == "kubernetes":
        template = PodTemplate("prism-sandbox", os.environ["PRISM_TEST_SANDBOX_IMAGE"])
        async with open_kubernetes_sandbox(template, Path(CLUSTER)) as cluster:
            yield cluster
    else:
        yield bubblewrap(backend)


def bubblewrap(backend: str) -> BubblewrapSandbox:
    if backend == "own-user":
        return BubblewrapSandbox()
    # An ordinary user may not reach a Python below root's home.
    reachable = os.geteuid() != 0 or own_python().resolve().is_relative_to("/usr")
    return BubblewrapSandbox(user_namespace=True, python=None if reachable else Path("/usr/bin/python3"))


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    async def execute(
        code: str,
        language: Language = Language.PYTHON,
        stdin: str = "",
        workspace: Workspace | None = None,
        **limits: float,
    ) -> ExecutionResult:
        given: dict[str, float] = {"wall_seconds": 20.0, "memory_bytes": 256 * 1024 * 1024, **limits}
        return await sandbox.execute(
            Execution(
                language=language, code=code, stdin=stdin, limits=Limits.model_validate(given), workspace=workspace
            )
        )

    return execute


def sandboxed_processes() -> list[int]:
    """Processes of this session's programs that still run; those of sessions beside it lie in other control groups."""
    ours = (f"prism-sandbox-{os.getpid()}-", "docker", "kubepods") if find_parents().folders else ("",)
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command, groups = (folder / "cmdline").read_bytes(), (folder / "cgroup").read_text()
            except OSError:
                continue
            if any(place in command for place in PLACES_OF_PROGRAMS) and any(group in groups for group in ours):
                found.append(int(folder.name))
    return found


@pytest.fixture
def nothing_left(request: pytest.FixtureRequest, backend: str) -> Iterator[None]:
    """Assert that a test leaves no process, no control group and no container of its own behind."""
    address = request.getfixturevalue("docker_engine") if backend == "docker" else ""
    yield
    if address:
        with closing(APIClient(base_url=address, version="auto")) as client:
            assert client.containers(all=True) == []
    mine = f"prism-sandbox-{os.getpid()}-*"
    groups = [*Path("/sys/fs/cgroup").glob(f"*/{mine}"), *Path("/sys/fs/cgroup").glob(f"*/*/{mine}")]
    assert not groups


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        await asyncio.sleep(0.02)
