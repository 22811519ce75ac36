"""The real ``opa`` program: no Python package ships it, so Go's module proxy and compiler make it, once a machine."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port

# The version inside the wheel of policies/engine.txt: what differs is then the way of asking, not the engine's age.
VERSION = "v1.20.2"
MODULE = "github.com/open-policy-agent/opa"
BUILD_SECONDS = 400
START_SECONDS = 30


def installed() -> Path:
    """Return the program; skips where it is neither cached nor can be made."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prism-tests" / f"opa-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / "opa"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(cache)
    return program


@contextlib.asynccontextmanager
async def serving(program: Path, bundle: Path, *, log: Path) -> AsyncIterator[str]:
    """Yield the address of a real server that decides by a bundle and logs its decisions."""
    address = f"127.0.0.1:{free_port()}"
    command = [program, "run", "--server", "--addr", address, "--bundle", bundle]
    with log.open("w") as told:
        process = await asyncio.create_subprocess_exec(
            *command, "--set", "decision_logs.console=true", "--disable-telemetry", stderr=told, stdout=told
        )
    try:
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(timeout=60) as client:
            while not await _healthy(client, f"http://{address}/health?bundles"):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield f"http://{address}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _healthy(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _build(cache: Path) -> None:
    # Where Go's own instructions put it, which is on no bare PATH.
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip(f"{MODULE} {VERSION} is made by Go, which is not installed here")
    made = cache / "making"
    try:
        subprocess.run(
            [go, "install", f"{MODULE}@{VERSION}"],
            env={**os.environ, "GOBIN": str(made), "GOFLAGS": "-trimpath"},
            capture_output=True,
            text=True,
            check=True,
            timeout=BUILD_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"Go could not make {MODULE} {VERSION}: {error.stderr.strip().splitlines()[-1:]}")
    # A build that is cut off must not pass for a program.
    (made / "opa").rename(cache / "opa")


if __name__ == "__main__":
    # Before the tests, so that no test waits for a compiler; where it cannot be made they say why they are skipped.
    with contextlib.suppress(pytest.skip.Exception):
        installed()
