"""The real ``opa`` program: no Python package ships it, so Go's module proxy and compiler make it, once a machine."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

# The version inside the wheel of policies/engine.txt: what differs is then the way of asking, not the engine's age.
VERSION = "v1.20.2"
MODULE = "github.com/open-policy-agent/opa"
BUILD_SECONDS = 400


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


def _build(cache: Path) -> None:
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
