"""The list of commands: quick, whole and true."""

import importlib
import resource
import subprocess
import sys

import click
import pytest

from api.cli.main import COMMANDS, cli
from tests.api.cli.conftest import Prism

HEAVY = ("pydantic", "httpx", "rich", "temporalio", "sqlalchemy", "fastapi", "litellm")
ISSUED = {"up", "run", "validate", "submit", "status", "rows", "row", "results"} | {
    *("pause", "resume", "cancel", "retry", "approve", "reject", "verify", "worker"),
}


def test_help_takes_less_than_half_a_second() -> None:
    def once() -> float:
        # Time of the processor: the clock on the wall also counts the tests that run beside this one.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "api.cli.main", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(3)) < 0.5


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, api.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_and_says_what_the_table_says(name: str) -> None:
    entry = COMMANDS[name]
    command = getattr(importlib.import_module(entry.module), entry.attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help
    assert command.help.split("\n\n", maxsplit=1)[0].replace("\n", " ") == entry.help


def test_every_command_that_shows_something_has_json_and_url() -> None:
    for name in set(COMMANDS) - {"up", "worker", "login-link"}:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for one in command.commands.values() if isinstance(command, click.Group) else [command]:
            assert {"as_json", "url"} <= {parameter.name for parameter in one.params}, f"{name} {one.name}"


def test_the_commands_that_were_asked_for_are_there() -> None:
    assert set(COMMANDS) >= ISSUED


def test_a_mistyped_command_names_the_near_one(prism_command: Prism) -> None:
    done = prism_command("valdiate", "x.csv")
    assert done.returncode == 2
    assert "did you mean 'validate'?" in done.stderr
