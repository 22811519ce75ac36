"""Hostile programs are contained, told apart, and leave nothing behind; the worker lives on."""

import asyncio
import os
import resource
import socket
import sys
import time
from pathlib import Path

import pytest

from activities.sandbox.contracts import ExitReason
from catalogs.row import Language
from tests.activities.sandbox.conftest import CONTAINERS, Run

# One engine serves them all.
pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.xdist_group("docker")]


async def test_a_fork_bomb_ends_with_its_time_and_starves_nobody(run: Run) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n"
    bombed = asyncio.create_task(run(bomb, wall_seconds=3.0, processes=32))
    await asyncio.sleep(0.5)
    neighbour = await run("import threading\nthreading.Thread(target=print, args=('alive',)).start()")
    assert neighbour.stdout == "alive\n"
    result = await bombed
    assert (result.reason, result.exit_code) == (ExitReason.TIMEOUT, None)


async def test_a_shell_fork_bomb_is_contained(run: Run) -> None:
    result = await run("f() { f | f & }; f; sleep 30", Language.SHELL, wall_seconds=2.0, processes=32)
    assert result.reason in {ExitReason.TIMEOUT, ExitReason.ERROR, ExitReason.KILLED}
    assert result.seconds < 10


async def test_threads_are_counted(run: Run) -> None:
    code = (
        "import threading, time\nn = 0\ntry:\n    while n < 500:\n"
        "        threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); n += 1\n"
        "except RuntimeError: pass\nprint(n, flush=True)\nimport os; os._exit(0)"
    )
    result = await run(code, processes=20, memory_bytes=1 << 30)
    assert 0 < int(result.stdout) <= 24


async def test_one_process_cannot_take_more_memory(run: Run, backend: str) -> None:
    result = await run("x = bytearray(10**9)")
    assert result.reason is ExitReason.OUT_OF_MEMORY
    # Under bubblewrap the program is refused; in a container the kernel ends it.
    assert ("MemoryError" in result.stderr) is (backend != "docker")


async def test_many_processes_together_cannot_take_more_memory(run: Run) -> None:
    code = (
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
        "        x = bytearray(100 * 2**20)\n        time.sleep(60); os._exit(0)\n"
        "codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(3)]\n"
        "raise SystemExit(7 if -9 in codes else 0)"
    )
    result = await run(code)
    assert (result.reason, result.exit_code) == (ExitReason.OUT_OF_MEMORY, 7)


async def test_javascript_cannot_take_more_memory(run: Run) -> None:
    result = await run("const a = []; for (;;) a.push(new Array(1e5).fill(1.5))", Language.JAVASCRIPT)
    assert result.reason is ExitReason.OUT_OF_MEMORY


async def test_the_disk_cannot_be_filled(run: Run) -> None:
    code = (
        "import os\ntotal = 0\nfor folder in ('/work', '/tmp', '/dev/shm'):\n    try:\n"
        "        for n in range(1000):\n"
        "            with open(f'{folder}/{n}', 'wb') as f: total += f.write(bytes(2**20))\n"
        "    except OSError as e: print(folder, e.errno)\nprint(total)"
    )
    result = await run(code, file_bytes=8 * 2**20)
    *full, total = result.stdout.splitlines()
    assert full == ["/work 28", "/tmp 28", "/dev/shm 28"]  # noqa: S108
    assert int(total) <= 24 * 2**20


async def test_a_single_file_cannot_grow_past_its_limit(run: Run) -> None:
    code = "import os\nfd = os.open('big', os.O_CREAT | os.O_WRONLY)\nos.ftruncate(fd, 2**30)"
    result = await run(code, file_bytes=2**20)
    assert (result.reason, result.exit_code) == (ExitReason.ERROR, 1)
    assert "File too large" in result.stderr


async def test_there_is_no_network_not_even_to_the_host(run: Run) -> None:
    reached: list[object] = []
    server = await asyncio.start_server(lambda *peer: reached.append(peer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    name = f"\0prism-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(name)
        abstract.listen()
        code = (
            "import socket\n"
            f"for place in (('127.0.0.1', {port}), ('1.1.1.1', 53), ('::1', {port})):\n"
            "    try: socket.create_connection(place, timeout=2); print('REACHED', place)\n"
            "    except OSError: print('no')\n"
            f"try: socket.socket(socket.AF_UNIX).connect({name!r}); print('REACHED')\n"
            "except OSError: print('no')\n"
            "try: socket.getaddrinfo('example.com', 80); print('RESOLVED')\n"
            "except OSError: print('no')\n"
        )
        result = await run(code)
    server.close()
    await server.wait_closed()
    assert result.stdout.splitlines() == ["no"] * 5
    assert not reached


async def test_files_of_the_host_are_not_there(run: Run, backend: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("HOST SECRET")
    places = [
        "/root/.bashrc", str(Path.cwd()), str(Path.cwd() / "pyproject.toml"), str(secret), "/run/docker.sock",
        "/var/run/docker.sock", f"/proc/{os.getpid()}/environ", f"/proc/1/root{secret}", "/proc/kcore",
        "/dev/mem", "/dev/sda", "/etc/shadow", "/proc/sysrq-trigger", "/sys/kernel/debug",
    ]  # fmt: skip
    # A container has folders of its image by these names.
    own = ["/etc/passwd", "/home", "/var", "/sys", "/opt", "/srv", "/boot"] if backend not in CONTAINERS else []
    code = (
        f"import os\nfor place in {[*places, *own]!r}:\n    try:\n"
        "        found = os.listdir(place) if os.path.isdir(place) else open(place, 'rb').read(1)\n"
        "        if found: print('READ', place)\n    except OSError: pass\n"
        "print(sorted(os.listdir('/etc')), [p for p in os.listdir('/proc') if p.isdecimal()][10:])"
    )
    *read, etc = (await run(code)).stdout.splitlines()
    assert not read
    assert backend in CONTAINERS or etc == "['alternatives', 'ld.so.cache'] []"


async def test_the_worker_s_environment_and_descriptors_are_not_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRISM_SECRET", "hush")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        result = await run("cat /proc/*/environ | tr '\\0' '\\n'; env; ls -l /proc/self/fd", Language.SHELL)
    assert "hush" not in result.stdout
    assert "open" not in result.stdout


async def test_nobody_outside_can_be_seen_killed_or_traced(run: Run) -> None:
    code = (
        "import ctypes, os, signal\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for pid in (1, os.getppid(), {os.getpid()}, -1):\n    try: os.kill(pid, signal.SIGKILL)\n"
        "    except OSError as e: print('kill', type(e).__name__)\n"
        "print('ptrace', libc.ptrace(16, 1, 0, 0), ctypes.get_errno())\n"
        f"print('ptrace', libc.ptrace(16, {os.getpid()}, 0, 0), ctypes.get_errno())\n"
    )
    result = await run(code)
    # Whoever kills process 1 of its own namespace ends its own program only.
    assert result.reason in {ExitReason.OK, ExitReason.KILLED}
    if result.reason is ExitReason.OK:
        assert result.stdout.count("ptrace -1 1") == 2
    assert (await run("print('worker alive')")).stdout == "worker alive\n"


async def test_ptrace_is_refused(run: Run) -> None:
    result = await run(
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.ptrace(0, 0, 0, 0), ctypes.get_errno())"
    )
    assert result.stdout == "-1 1\n"


async def test_ignoring_every_signal_does_not_help(run: Run) -> None:
    code = (
        "import signal, time\nfor s in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "print('begun')\nwhile True: time.sleep(1)"
    )
    result = await run(code, wall_seconds=1.5)
    assert (result.reason, result.exit_code, result.stdout) == (ExitReason.TIMEOUT, None, "begun\n")
    assert 1.5 <= result.seconds < 4


@pytest.mark.parametrize("ignore", ["", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)"])
async def test_processor_time_is_limited(run: Run, ignore: str) -> None:
    result = await run(f"import signal\n{ignore}\nwhile True: pass", cpu_seconds=1)
    assert result.reason is ExitReason.TIMEOUT
    assert result.seconds < 15


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_endless_output_is_cut_and_does_not_fill_the_worker(run: Run, stream: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = f"import sys\nchunk = b'x' * 2**20\nfor _ in range(300): sys.{stream}.buffer.write(chunk)"
    result = await run(code, output_bytes=100_000)
    assert (result.reason, result.truncated) == (ExitReason.OK, True)
    assert len(getattr(result, stream)) == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


async def test_links_lead_nowhere(run: Run) -> None:
    code = (
        "import os\nfor n, target in enumerate(['/etc/shadow', '/proc/1/root/etc/shadow', '/../../etc/shadow', "
        "'/proc/self/root/../etc/shadow', '/proc/1/cwd/../etc/shadow']):\n"
        "    os.symlink(target, f'l{n}')\n    try: print(open(f'l{n}').read())\n"
        "    except OSError as e: print('no')\n"
        "os.symlink('/usr/bin/ls', 'w')\ntry: open('w', 'w')\nexcept OSError as e: print(e.strerror)"
    )
    result = await run(code)
    assert result.stdout.splitlines()[:5] == ["no"] * 5
    assert result.stdout.splitlines()[5] in {"Read-only file system", "Permission denied"}


async def test_mounts_namespaces_and_devices_are_refused(run: Run) -> None:
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "print(libc.mount(b'none', b'/work', b'tmpfs', 0, 0), ctypes.get_errno())\n"
        "print(libc.unshare(0x10000000), ctypes.get_errno())\n"
        "print(libc.chroot(b'/work'), ctypes.get_errno())\n"
        "print(libc.umount2(b'/proc', 2), ctypes.get_errno())\n"
        "print(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno())\n"
        "try: os.mknod('/work/disk', 0o60666, os.makedev(8, 0)); open('/work/disk').read(1); print('READ')\n"
        "except OSError: print('no')\n"
    )
    assert (await run(code)).stdout.splitlines() == ["-1 1"] * 5 + ["no"]


async def test_no_way_leads_to_another_user(run: Run) -> None:
    code = (
        "import os, subprocess, shutil\n"
        "for call in (os.setuid, os.setgid, lambda n: os.setgroups([n])):\n"
        "    try: call(0); print('BECAME ROOT')\n    except OSError: print('no')\n"
        "shutil.copy('/usr/bin/id', 'id'); os.chmod('id', 0o6755)\n"
        "print(subprocess.run(['./id', '-u'], capture_output=True, text=True).stdout.strip() == str(os.getuid()))\n"
        "for tool in ('su', 'passwd', 'mount', 'chsh'):\n"
        "    path = shutil.which(tool)\n"
        "    if path and subprocess.run([path], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0"
        " and tool != 'mount': print('RAN', tool)\n"
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapPrm', 'CapBnd'))])\n"
    )
    lines = (await run(code)).stdout.splitlines()
    assert lines == ["no", "no", "no", "True", str(["0" * 16] * 3)]


async def test_nothing_but_three_folders_can_be_written(run: Run) -> None:
    """Files are opened for writing, never written: should containment fail, the host is not harmed."""
    code = f"""
import os
folders = ["/", "/usr", "/usr/bin", "/etc", "/dev", "/run", "/proc", "/root", "/proc/irq", {sys.base_prefix!r}]
files = [f"{{folder}}/x" for folder in folders] + ["/run/program.py", "/proc/sysrq-trigger"]
for area in ("kernel", "vm", "fs", "dev", "user"):
    for folder, _, names in os.walk(f"/proc/sys/{{area}}"):
        files += [f"{{folder}}/{{name}}" for name in names]
for file in files:
    try:
        os.close(os.open(file, os.O_WRONLY | (os.O_CREAT if file.endswith("/x") else 0)))
        print("OPENED", file)
    except OSError:
        pass
for folder in ("/work", "/tmp", "/dev/shm"):
    open(folder + "/x", "w")
print("ok", len(files) > 100)
"""
    assert (await run(code)).stdout == "ok True\n"


async def test_a_daemon_left_behind_dies_with_the_program(run: Run) -> None:
    code = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True: time.sleep(1)\n    os._exit(0)\nprint('done')"
    )
    begin = time.monotonic()
    result = await run(code)
    assert (result.reason, result.stdout) == (ExitReason.OK, "done\n")
    assert time.monotonic() - begin < 5


async def test_descriptors_are_limited(run: Run) -> None:
    code = "import os\nn = 0\ntry:\n    while n < 100000: os.dup(0); n += 1\nexcept OSError: print(n < 300)"
    assert (await run(code)).stdout == "True\n"


async def test_memory_outside_every_limit_s_sight_is_refused(run: Run) -> None:
    code = (
        "import os\ntry: os.memfd_create('x'); print('GOT')\nexcept OSError: print('no')\n"
        "import ctypes\nprint(ctypes.CDLL(None).shmget(0, 2**30, 0o1600))"
    )
    assert (await run(code)).stdout.splitlines() == ["no", "-1"]


async def test_other_packages_and_the_project_cannot_be_imported(run: Run) -> None:
    code = (
        "for name in ('activities', 'temporalio', 'litellm', 'securesystemslib'):\n"
        "    try: __import__(name); print('IMPORTED', name)\n    except ImportError: pass\nimport json, ssl, sqlite3"
    )
    assert (await run(code)).stdout == ""
