"""An installation on the time-skipping server, its worker in this process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.installation import Installation


@pytest.fixture(scope="session")
async def skipping(tmp_path_factory: pytest.TempPathFactory, skipping_client: Client) -> AsyncIterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("skipping"), skipping_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


@pytest.fixture
def prism(skipping: Installation) -> Installation:
    """The installation, its model answering every call alike and its memory of calls blank."""
    skipping.model.answer = lambda request: "An answer."
    skipping.model.requests.clear()
    return skipping


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
