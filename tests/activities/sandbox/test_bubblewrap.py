"""What bubblewrap needs of its host, and what it does where that is missing."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.cgroups import CgroupParents, find_parents
from activities.sandbox.contracts import Execution, ExitReason, Limits, SandboxUnavailable
from activities.sandbox.enclosure import SandboxNotInstalled, _spare_uid
from activities.sandbox.endings import Ending, reason_of
from activities.sandbox.seccomp import seccomp_filter
from catalogs.row import Language
from tests.activities.sandbox.conftest import until


async def test_a_program_dies_with_its_worker(tmp_path: Path) -> None:
    worker = tmp_path / "worker.py"
    marker = "60.4321"
    worker.write_text(
        textwrap.dedent(f"""
        import asyncio
        from activities.sandbox.bubblewrap import BubblewrapSandbox
        from activities.sandbox.contracts import Execution
        asyncio.run(BubblewrapSandbox().execute(Execution(language="shell", code="sleep {marker}")))
        """)
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = await asyncio.create_subprocess_exec(sys.executable, worker, env=environment)
    await until(lambda: running(f"sleep\0{marker}"))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await until(lambda: not running(f"sleep\0{marker}"))

    def swept() -> bool:
        parents = find_parents()
        parents.sweep()
        name = f"prism-sandbox-{process.pid}-*"
        return not [group for parent in parents.folders.values() for group in parent.glob(name)]

    await until(swept)


async def test_a_missing_bubblewrap_names_the_package(tmp_path: Path) -> None:
    sandbox = BubblewrapSandbox(bwrap=tmp_path / "bwrap")
    with pytest.raises(SandboxNotInstalled, match="Debian package bubblewrap") as caught:
        await sandbox.execute(Execution(language=Language.SHELL, code=":"))
    assert not caught.value.retryable


async def test_a_missing_node_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    find = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "node" else find(name, path=path))
    with pytest.raises(SandboxNotInstalled, match="Debian package nodejs"):
        await BubblewrapSandbox().execute(Execution(language=Language.JAVASCRIPT, code=""))


async def test_a_bubblewrap_that_cannot_isolate_is_unavailable_and_may_be_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="No permissions") as caught:
        await BubblewrapSandbox(bwrap=broken).execute(Execution(language=Language.SHELL, code="echo ran"))
    assert caught.value.retryable


async def test_without_control_groups_the_limits_per_process_hold() -> None:
    sandbox = BubblewrapSandbox(cgroups=CgroupParents({}))
    assert any("memory" in line for line in sandbox.weaker())
    limits = Limits(wall_seconds=3.0, memory_bytes=1 << 28, processes=16)
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    for code, reason in ((bomb, ExitReason.TIMEOUT), ("x = bytearray(2**30)", ExitReason.OUT_OF_MEMORY)):
        result = await sandbox.execute(Execution(language=Language.PYTHON, code=code, limits=limits))
        assert result.reason is reason


def test_groups_of_version_2_get_their_limits(tmp_path: Path) -> None:
    proc, mount = tmp_path / "proc", tmp_path / "cgroup"
    (mount / "prism.slice" / "worker").mkdir(parents=True)
    proc.mkdir()
    (proc / "cgroup").write_text("0::/prism.slice/worker\n")
    (proc / "mountinfo").write_text(f"30 24 0:26 / {mount} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n")
    (mount / "prism.slice" / "worker" / "cgroup.subtree_control").write_text("")
    (mount / "prism.slice" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    parents = find_parents(proc)
    assert parents.folders == {"": mount / "prism.slice"}
    cgroup = parents.create(1_000_000, 12)
    assert cgroup is not None
    folder = cgroup.folders[""]
    assert (folder / "memory.max").read_text() == "1000000"
    assert (folder / "pids.max").read_text() == "12"
    (folder / "memory.events").write_text("low 0\noom 2\noom_kill 2\n")
    assert cgroup.oom_kills() == 2


def test_this_host_enforces_everything() -> None:
    """Fails where control groups cannot be written: there the sandbox is weaker, and says so."""
    if not os.access("/sys/fs/cgroup/memory", os.F_OK):
        assert BubblewrapSandbox().weaker()
        return
    assert BubblewrapSandbox().weaker() == ()


@pytest.mark.parametrize(
    ("uid_map", "lowest", "highest"),
    [
        ("0 0 4294967295\n", 1_900_000_000, 1_920_000_000),
        ("0 1000 1\n1 100000 65536\n", 49_153, 65_536),
        ("0 0 65536\n", 49_152, 65_535),
    ],
)
def test_the_user_of_a_program_exists_and_is_not_root(uid_map: str, lowest: int, highest: int) -> None:
    assert all(lowest <= _spare_uid(uid_map) <= highest for _ in range(200))


def test_system_calls_are_filtered_where_we_know_them() -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp_filter(machine)
        assert program is not None
        assert len(program) % 8 == 0
    assert seccomp_filter("riscv64") is None


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending(0, 1.0), ExitReason.OK),
        (Ending(0, 1.0, oom_kills=1), ExitReason.OK),
        (Ending(1, 1.0), ExitReason.ERROR),
        (Ending(137, 1.0), ExitReason.KILLED),
        (Ending(137, 1.0, oom_kills=1), ExitReason.OUT_OF_MEMORY),
        (Ending(137, 1.0, overran=True, oom_kills=1), ExitReason.TIMEOUT),
        (Ending(152, 60.0), ExitReason.TIMEOUT),
        (Ending(152, 0.01), ExitReason.KILLED),
        (Ending(1, 1.0, last_errors="Traceback\nMemoryError"), ExitReason.OUT_OF_MEMORY),
        (Ending(0, 1.0, last_errors="MemoryError"), ExitReason.OK),
        (Ending(200, 1.0), ExitReason.ERROR),
    ],
)
def test_reasons(ending: Ending, reason: ExitReason) -> None:
    assert reason_of(ending, Limits()) is reason


def running(command: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(command.encode()):
                return True
        except OSError:
            continue
    return False


def test_the_binary_is_really_bubblewrap() -> None:
    said = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("bubblewrap")
