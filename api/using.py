"""What model calls amount to, with the share that local models have: what every front door calls."""

from activities.analytics.contracts import BoardShare, Usage
from activities.analytics.usage import usage
from api.services import Services


async def used(services: Services, days: int) -> Usage:
    """Return usage of the last days.

    Raises:
        RecordsUnavailable: The database does not answer.
    """
    found = await usage(services.stores.engine, days)
    # Shares are counted by whole days.
    day = found.since[:10]
    boards = [BoardShare(board=board, **share.model_dump()) for board, share in await services.shares.boards(day)]
    return found.model_copy(update={"local": await services.shares.since(day), "boards": tuple(boards)})
