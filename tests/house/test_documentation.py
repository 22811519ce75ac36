"""The README says what the program says."""

from pathlib import Path

import pytest

from api.cli.main import cli
from catalogs.columns import columns_markdown
from workers.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_table_of_columns_is_the_readers_own() -> None:
    assert columns_markdown().strip() in README


@pytest.mark.parametrize("field", sorted(set(Settings.model_fields) - {"inline_limit_bytes", "gateway_socket"}))
def test_every_setting_of_a_person_is_known(field: str) -> None:
    minor = {"max_body_bytes", "max_cached_workflows", "log_level", "temporal_ui_url"}
    short = field.removeprefix("temporal").removeprefix("model") if "_" in field else field
    assert (
        field in minor
        or f"PRISM_{field.upper()}" in README
        or f"`{short.upper()}`" in README
        or (
            f"`_{field.partition('_')[2].upper()}`" in README or f"`_MODEL_{field.partition('_')[2].upper()}`" in README
        )
    )


def test_the_commands_the_readme_shows_exist() -> None:
    commands = set(cli.commands) if hasattr(cli, "commands") and cli.commands else set(cli.list_commands(None))  # type: ignore[arg-type]
    for command in (
        "run",
        "validate",
        "submit",
        "status",
        "rows",
        "row",
        "results",
        "verify",
        "plan",
        "up",
        "approve",
        "policy",
    ):
        assert command in commands
        assert f"prism {command}" in README
