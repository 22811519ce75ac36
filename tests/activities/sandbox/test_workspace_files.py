"""Programs find files and leave files, on every backend alike; what hostile ones leave is contained and told."""

import asyncio
import os

import pytest

from activities.sandbox.contracts import Execution, ExitReason, Limits, Workspace
from activities.sandbox.launcher import FILES, REPORT
from activities.sandbox.launching import encoded
from activities.sandbox.relay import Relay, kept_files
from catalogs.row import Language
from tests.activities.sandbox.conftest import Run, sandboxed_processes, until

pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.xdist_group("docker")]

ALL = Workspace(keep=("**",))
BINARY = bytes(range(256)) * 300
# All that follows leaves something that is not kept; nothing of the rest is then.
UNKEPT = {
    "a symbolic link to a file of the host": (
        "import os; os.symlink('/etc/passwd', 'x')",
        "x is a symbolic link",
    ),
    "a hard link": ("import os; open('x', 'w').close(); os.link('x', 'y')", "x is a hard link: the file has 2 names"),
    "a named pipe": ("import os; os.mkfifo('x')", "x is a named pipe"),
    "a socket": ("import socket; socket.socket(socket.AF_UNIX).bind('x')", "x is a socket"),
    "100,000 files": (
        "for n in range(100_000): open(str(n), 'w').close()",
        "there are more than 20000 files and folders",
    ),
    "more files than are kept": (
        "for n in range(257): open(f'{n:03}', 'w').close()",
        "there are more than 256 files",
    ),
    "a sparse file": (
        "open('x', 'wb').truncate(60 * 2**20)",
        "the files are larger than 16777216 bytes together, with x",
    ),
    "files that are too large together": (
        "for n in range(5): open(str(n), 'wb').write(bytes(4 * 2**20))",
        "the files are larger than 16777216 bytes together, with 4",
    ),
    "a path with a newline": (
        "open('a\\nb', 'w').close()",
        "the path 'a\\nb' has characters that no path may have here",
    ),
    "a path that is no text": (
        "open(b'a\\xff', 'w').close()",
        "the path 'a\\udcff' has characters that no path may have here",
    ),
    "a path with a backslash": (
        "open('..\\\\b', 'w').close()",
        "the path '..\\\\b' has characters that no path may have here",
    ),
    "a path that is too long": (
        "import os\nfor _ in range(6): os.mkdir('d' * 200); os.chdir('d' * 200)\nopen('x', 'w').close()",
        f"the path '{'d' * 40}'... is longer than 1024 bytes",
    ),
    "folders within folders without end": (
        "import os\nfor _ in range(500): os.mkdir('d'); os.chdir('d')",
        "there are folders within more than 32 others",
    ),
    "a folder that cannot be read": ("import os; os.mkdir('x', 0)", "the folder 'x' cannot be read: Permission denied"),
    "a file that cannot be read": (
        "import os; os.close(os.open('x', os.O_CREAT, 0))",
        "x cannot be read: Permission denied",
    ),
}


WORKS = {
    Language.PYTHON: (
        "import os, sys\nassert sys.stdin.read() == 'hällo'\ndata = open('inputs/a/b/x.bin', 'rb').read()\n"
        "os.makedirs('out/deep')\nopen('out/deep/y.bin', 'wb').write(data)\nopen('é', 'w').write('é')\n"
        "open('base', 'a').write('+')\nopen('other.tmp', 'w').close()\nprint(open('kept').read())"
    ),
    Language.SHELL: (
        'test "$(cat)" = hällo; mkdir -p out/deep; cat inputs/a/b/x.bin > out/deep/y.bin; printf é > é\n'
        "printf + >> base; : > other.tmp; cat kept; echo"
    ),
    Language.JAVASCRIPT: (
        "const fs = require('fs'); fs.mkdirSync('out/deep', {recursive: true}); fs.appendFileSync('base', '+');\n"
        "if (fs.readFileSync(0, 'utf8') !== 'hällo') process.exit(1); fs.writeFileSync('é', 'é');\n"
        "fs.copyFileSync('inputs/a/b/x.bin', 'out/deep/y.bin'); fs.writeFileSync('other.tmp', '');\n"
        "console.log(fs.readFileSync('kept', 'utf8'))"
    ),
}


@pytest.mark.parametrize("language", WORKS)
async def test_a_program_finds_its_files_and_those_it_leaves_are_kept(run: Run, language: Language) -> None:
    found = {"inputs/a/b/x.bin": BINARY, "base": b"B", "kept": b"K"}
    keep = ("out/**", "base", "?", "inputs.txt")
    result = await run(
        WORKS[language], language, stdin="hällo", workspace=Workspace(files=found, keep=keep), memory_bytes=512 * 2**20
    )
    assert (result.stderr, result.unkept, result.reason, result.exit_code) == ("", "", ExitReason.OK, 0)
    assert result.stdout == "K\n"
    assert result.files == {"out/deep/y.bin": BINARY, "é": "é".encode(), "base": b"B+"}


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        ("raise SystemExit(3)", ExitReason.ERROR, 3),
        ("import os\nos.kill(os.getpid(), 9)", ExitReason.KILLED, 137),
        ("import time\ntime.sleep(60)", ExitReason.TIMEOUT, None),
        ("x = bytearray(10**9)", ExitReason.OUT_OF_MEMORY, 1),
    ],
)
async def test_what_a_failed_program_did_to_its_files_is_undone(
    run: Run, code: str, reason: ExitReason, exit_code: int | None
) -> None:
    begun = "print('so far', flush=True)\nopen('x', 'w').write('half')\n"
    result = await run(begun + code, workspace=ALL, wall_seconds=1.5 if exit_code is None else 20.0)
    assert (result.reason, result.exit_code, result.stdout) == (reason, exit_code, "so far\n")
    assert (result.files, result.unkept) == ({}, "")
    assert (await run("import os\nprint(os.listdir())", workspace=ALL)).stdout == "[]\n"


@pytest.mark.parametrize(("code", "told"), UNKEPT.values(), ids=list(UNKEPT))
async def test_what_is_no_plain_file_or_too_much_is_not_kept(run: Run, code: str, told: str) -> None:
    result = await run(code, workspace=ALL)
    assert (result.reason, result.stderr, result.unkept, result.files) == (ExitReason.OK, "", told, {})


async def test_no_device_can_be_made_and_the_host_s_files_are_not_there_to_be_linked(run: Run) -> None:
    code = (
        "import os\nfor made in (lambda: os.mknod('x', 0o020666, os.makedev(1, 3)),"
        " lambda: os.link('/usr/bin/env', 'y'), lambda: os.link('/proc/1/exe', 'z')):\n"
        "    try: made(); print('MADE')\n    except OSError: print('no')"
    )
    result = await run(code, workspace=ALL)
    assert (result.stdout, result.files, result.unkept) == ("no\nno\nno\n", {}, "")


async def test_what_no_pattern_names_is_passed_over_and_no_link_is_followed(run: Run) -> None:
    code = (
        "import os\nos.symlink('/etc', 'etc'); os.symlink('.', 'loop'); os.mkfifo('pipe')\n"
        "os.makedirs('inputs/a'); open('inputs/a/own.txt', 'w').close(); open('own.txt', 'w').write('x')"
    )
    result = await run(code, workspace=Workspace(keep=("**/*.txt", "etc/*", "loop/**/*.txt")))
    assert (result.unkept, result.files) == ("", {"own.txt": b"x"})


async def test_nobody_is_left_who_could_change_a_file_while_it_is_collected(run: Run) -> None:
    code = (
        "import os, time\nwith open('x', 'wb') as f: f.write(b'A' * 2**20)\n"
        "for _ in range(4):\n    if os.fork() == 0:\n        os.setsid()\n        while True:\n"
        "            for letter in (b'A', b'B'):\n                with open('x', 'r+b') as f: f.write(letter * 2**20)\n"
        "            open('y' + str(os.getpid()) + str(time.time_ns()), 'w').close()\n"
        "time.sleep(0.2)\nos._exit(0)"
    )
    result = await run(code, workspace=Workspace(keep=("x",)), file_bytes=2**22)
    assert (result.reason, result.unkept) == (ExitReason.OK, "")
    assert len(result.files["x"]) == 2**20
    await until(lambda: not sandboxed_processes())


async def test_the_one_who_reports_and_collects_is_out_of_the_program_s_reach(run: Run) -> None:
    code = (
        "import os\nfor number in range(1, 65):\n    try: os.kill(1, number)\n    except OSError: pass\n"
        "for path in ('fd/1', 'mem', 'environ'):\n    try: open(f'/proc/1/{path}', 'r+b'); print('OPENED')\n"
        "    except OSError: print('denied')\n"
        "print('3 e30=')\nopen('x', 'w').write('x')\nfor place in ('/run/prism', '/program'):\n"
        "    try: open(place + '/workspace.py', 'w').write('1/0')\n    except OSError: pass"
    )
    result = await run(code, workspace=ALL)
    assert (result.reason, result.stdout) == (ExitReason.OK, "denied\ndenied\ndenied\n3 e30=\n")
    assert result.files == {"x": b"x"}


async def test_a_cancelled_call_kills_a_program_with_files(run: Run) -> None:
    task = asyncio.create_task(run("import time\ntime.sleep(60)", workspace=ALL))
    await until(lambda: bool(sandboxed_processes()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not sandboxed_processes())


def handed_over(content: bytes, told: dict[str, object]) -> tuple[dict[str, bytes], str]:
    """What is kept where a launcher says this; one that a program has taken over could say anything."""
    relay = Relay(Limits())
    lines = f"{FILES} {encoded(content)}\n{REPORT} {encoded(os.fsencode(str(told).replace(chr(39), chr(34))))}\n"
    for begin in range(0, len(lines), 7):
        relay.feed(lines[begin : begin + 7].encode())
    execution = Execution(language=Language.SHELL, code="", workspace=Workspace(keep=("**",)))
    return kept_files(relay, execution)


@pytest.mark.parametrize(
    "content",
    [
        b'{"path": "../x", "size": 1}\nx',
        b'{"path": "/etc/x", "size": 1}\nx',
        b'{"path": "a//x", "size": 1}\nx',
        b'{"path": "inputs/x", "size": 1}\nx',
        b'{"path": "a\\nb", "size": 1}\nx',
        b'{"path": "x", "size": 9}\nx',
        b'{"path": "x", "size": -4}\nx',
        b'{"path": "x", "size": 1}\nxx',
        b'{"path": "x"}\nx',
        b"[]\nx",
        b"x" * 10_000,
    ],
)
def test_a_launcher_is_not_believed(content: bytes) -> None:
    assert handed_over(content, {"exit_code": 0, "files": 1}) == ({}, "they were not handed over whole")


def test_a_file_cannot_be_where_another_has_its_folder() -> None:
    both = b'{"path": "a", "size": 1}\nx{"path": "a/b", "size": 1}\nx'
    assert handed_over(both, {"exit_code": 0, "files": 2})[1] == "they were not handed over whole"
    assert handed_over(b'{"path": "a", "size": 1}\nx', {"exit_code": 0, "files": 1}) == ({"a": b"x"}, "")
