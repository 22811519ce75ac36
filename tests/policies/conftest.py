"""The real OPA, and a server of it."""

from pathlib import Path

import pytest

from tests.policies import opa as program


@pytest.fixture(scope="session")
def opa() -> Path:
    """The real ``opa`` program."""
    return program.installed()
