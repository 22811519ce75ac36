"""The command as people run it: output and exit code, in this process (quick) or as one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import cli
from tests.api.client.seeded import seeded_api

__all__ = ["prism_command", "prism_process", "seeded_api"]


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Prism = Callable[..., Done]


@pytest.fixture
def prism_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prism:
    """Run ``prism`` in an empty folder, with an environment that names no other Prism."""
    monkeypatch.chdir(tmp_path)
    for name in _foreign():
        monkeypatch.delenv(name)

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> Done:
        result = CliRunner(env=environment).invoke(cli, arguments, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def prism_process(tmp_path: Path) -> Prism:
    """Run ``prism`` likewise, as a process."""

    def run(*arguments: str, **environment: str) -> Done:
        kept = {name: value for name, value in os.environ.items() if name not in _foreign()}
        command = [sys.executable, "-m", "api.cli.main", *arguments]
        environment = {**kept, "PYTHONPATH": str(Path(__file__).parents[3]), **environment}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def _foreign() -> list[str]:
    return [name for name in os.environ if name.startswith("PRISM_")]
