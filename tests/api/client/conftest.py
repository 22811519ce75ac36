"""A client of the seeded server."""

from collections.abc import Iterator

import pytest

from api.client import PrismClient
from tests.api.client.seeded import SeededApi, seeded_api

__all__ = ["seeded_api", "seeded_client"]


@pytest.fixture
def seeded_client(seeded_api: SeededApi) -> Iterator[PrismClient]:
    with PrismClient(seeded_api.url, token=seeded_api.token) as client:
        yield client
