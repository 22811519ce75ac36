import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import Execution, ExecutionResult, Limits
from activities.sandbox.enclosure import own_python
from catalogs.row import Language

Run = Callable[..., Coroutine[Any, Any, ExecutionResult]]


@pytest.fixture(scope="session", params=[False, True], ids=["own-user", "user-namespace"])
def sandbox(request: pytest.FixtureRequest) -> BubblewrapSandbox:
    """Both ways to be nobody: the one of a worker that is root, and the one of any other worker."""
    if not request.param:
        return BubblewrapSandbox()
    # An ordinary user may not reach a Python below root's home.
    reachable = os.geteuid() != 0 or own_python().resolve().is_relative_to("/usr")
    return BubblewrapSandbox(user_namespace=True, python=None if reachable else Path("/usr/bin/python3"))


@pytest.fixture
def run(sandbox: BubblewrapSandbox) -> Run:
    async def execute(
        code: str, language: Language = Language.PYTHON, stdin: str = "", **limits: float
    ) -> ExecutionResult:
        given: dict[str, float] = {"wall_seconds": 20.0, "memory_bytes": 256 * 1024 * 1024, **limits}
        return await sandbox.execute(
            Execution(language=language, code=code, stdin=stdin, limits=Limits.model_validate(given))
        )

    return execute


def sandboxed_processes() -> list[int]:
    """Processes of this session's children that still run below a bubblewrap."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"/run/program." in command:
                found.append(int(folder.name))
    return found


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Assert that a test leaves no process and no control group of its own behind."""
    yield
    mine = f"prism-sandbox-{os.getpid()}-*"
    groups = [*Path("/sys/fs/cgroup").glob(f"*/{mine}"), *Path("/sys/fs/cgroup").glob(f"*/*/{mine}")]
    assert not groups
