"""What the routes work with; assembled once per process."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client

from activities.records.queries import RecordQueries
from temporal.client import connect
from workers.compose import Stores, open_stores
from workers.settings import Settings
from workers.terminations import Terminations


@dataclass(frozen=True)
class Services:
    """Stores, the reading side of the records, and a Temporal client that connects when first used."""

    settings: Settings
    stores: Stores
    queries: RecordQueries
    temporal: Client

    @property
    def terminations(self) -> Terminations:
        """What finds runs that were terminated from outside."""
        return Terminations(self.temporal, self.stores.keeper, self.queries)


async def open_services(settings: Settings) -> Services:
    """Return the services of this process."""
    stores = open_stores(settings)
    return Services(
        settings=settings,
        stores=stores,
        queries=RecordQueries(stores.engine),
        temporal=await connect(settings.temporal, lazy=True),
    )


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Served = Annotated[Services, Depends(_services)]
