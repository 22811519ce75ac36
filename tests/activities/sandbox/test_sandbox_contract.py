"""What every sandbox does: programs run, get their input, and their end is told exactly."""

import asyncio

import pytest
from pydantic import SecretStr

from activities.sandbox.contracts import Execution, ExitReason, Sandbox, SandboxUnavailable
from catalogs.row import Language
from tests.activities.sandbox.conftest import Run, sandboxed_processes, until

pytestmark = pytest.mark.xdist_group("docker")


@pytest.mark.parametrize(
    ("language", "code"),
    [
        (Language.PYTHON, "import sys\nprint(sys.stdin.read().upper())\nprint('é', file=sys.stderr)"),
        (Language.SHELL, "tr a-zä A-ZÄ < /dev/stdin | sed 's/ä/Ä/'; echo; echo é >&2"),
        (
            Language.JAVASCRIPT,
            "console.log(require('fs').readFileSync(0, 'utf8').toUpperCase()); console.error('é')",
        ),
    ],
)
async def test_each_language_reads_its_input_and_prints(run: Run, language: Language, code: str) -> None:
    result = await run(code, language, stdin="hällo", memory_bytes=512 * 1024 * 1024)
    assert (result.reason, result.exit_code, result.truncated) == (ExitReason.OK, 0, False)
    assert result.stdout == "HÄLLO\n"
    assert result.stderr == "é\n"


async def test_large_code_and_large_input_arrive_whole(run: Run) -> None:
    code = f"import sys\nx = {'y' * 500_000!r}\nprint(len(x), len(sys.stdin.read()))"
    assert (await run(code, stdin="z" * 3_000_000)).stdout == "500000 3000000\n"


async def test_input_that_is_never_read_does_no_harm(run: Run) -> None:
    assert (await run("print(1)", stdin="z" * 3_000_000)).stdout == "1\n"


async def test_a_program_cannot_change_its_input(run: Run) -> None:
    result = await run("import os\nos.ftruncate(0, 0)", stdin="text")
    assert result.reason is ExitReason.ERROR


async def test_output_that_is_not_text_is_kept_readable(run: Run) -> None:
    assert (await run("import sys\nsys.stdout.buffer.write(b'a\\xff\\x00b')")).stdout == "a\ufffd\x00b"


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        ("raise SystemExit(3)", ExitReason.ERROR, 3),
        ("1/0", ExitReason.ERROR, 1),
        ("this is no Python", ExitReason.ERROR, 1),
        ("import os\nos.kill(os.getpid(), 9)", ExitReason.KILLED, 137),
        ("import os\nos.kill(os.getpid(), 15)", ExitReason.KILLED, 143),
        ("import ctypes\nctypes.string_at(0)", ExitReason.KILLED, 139),
        ("raise SystemExit(255)", ExitReason.ERROR, 255),
    ],
)
async def test_the_end_of_a_program_is_told(run: Run, code: str, reason: ExitReason, exit_code: int) -> None:
    result = await run(code)
    assert (result.reason, result.exit_code) == (reason, exit_code)


async def test_output_before_a_timeout_is_kept(run: Run) -> None:
    result = await run("print('so far')\nimport time\ntime.sleep(60)", wall_seconds=1.0)
    assert (result.reason, result.stdout) == (ExitReason.TIMEOUT, "so far\n")


async def test_what_a_program_prints_is_heard_while_it_runs(sandbox: Sandbox, backend: str) -> None:
    heard: list[bytes] = []
    code = "import sys, time\nprint('first', flush=True)\ntime.sleep(3)\nprint('last')"
    ending = asyncio.create_task(sandbox.execute(Execution(language=Language.PYTHON, code=code, heard=heard.append)))
    if backend != "kubernetes":  # whose log is read at the end
        await until(lambda: b"first" in b"".join(heard))
        assert b"last" not in b"".join(heard)
    assert (await ending).stdout == "first\nlast\n"


async def test_a_cancelled_call_kills_the_program(run: Run) -> None:
    task = asyncio.create_task(run("import time\ntime.sleep(60)"))
    await until(lambda: bool(sandboxed_processes()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not sandboxed_processes())


@pytest.mark.usefixtures("nothing_left")
async def test_a_call_cancelled_while_its_program_starts_leaves_nothing(run: Run, backend: str) -> None:
    start_seconds = 0.03 if backend in {"own-user", "user-namespace"} else 0.6
    for moment in range(16):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(start_seconds * moment / 16):
                await run("import time\ntime.sleep(60)")
        await until(lambda: not sandboxed_processes())


async def test_programs_run_side_by_side(run: Run) -> None:
    results = await asyncio.gather(*(run(f"print({n})") for n in range(12)))
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(12)]


async def test_a_program_finds_its_secrets_in_its_environment_and_nobody_else_does(sandbox: Sandbox) -> None:
    secret = "a=b 'c'\n$HOME é"  # noqa: S105 -- not one
    code = "import os, time\nprint(repr(os.environ['TOKEN']), flush=True)\ntime.sleep(1)"
    program = Execution(language=Language.PYTHON, code=code, environment={"TOKEN": SecretStr(secret)})
    assert (await sandbox.execute(program)).stdout == f"{secret!r}\n"


async def test_a_secret_that_no_environment_can_hold_is_refused_for_good(sandbox: Sandbox) -> None:
    program = Execution(language=Language.SHELL, code=":", environment={"TOKEN": SecretStr("a\0b")})
    with pytest.raises(SandboxUnavailable, match="the secret for TOKEN holds a NUL byte") as refused:
        await sandbox.execute(program)
    assert not refused.value.retryable
