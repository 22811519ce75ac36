"""Installations on real Temporal servers, their worker in this process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.installation import Installation


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    """One installation a module on the dev server: two workers at once would take each other's tasks."""
    installation = Installation(tmp_path_factory.mktemp("prism"), dev_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation


@pytest.fixture
def prism(installation: Installation) -> Installation:
    """The installation, its model answering every call alike and its memory of calls blank."""
    installation.model.answer = lambda request: "An answer."
    installation.model.requests.clear()
    return installation


@pytest.fixture
async def skipping(tmp_path: Path, skipping_client: Client) -> AsyncIterator[Installation]:
    """An installation whose clock jumps to the next timer.

    The time-skipping server holds no lock while it passes an event from one workflow to another, so it may jump
    to an execution's timeout in between. Only what is about time belongs here, with a timer pending throughout; and
    as the server's clock is not ours to mend, such a test is marked ``ON_SKIPPING_SERVER``: on a machine that is busy
    with other things it gets another try.
    """
    installation = Installation(tmp_path, skipping_client, lambda request: "An answer.")
    async with installation.worker():
        yield installation
