"""The real OPA."""

from pathlib import Path

import pytest

from tests.opa import installed


@pytest.fixture(scope="session")
def opa() -> Path:
    """The real ``opa`` program."""
    return installed()
