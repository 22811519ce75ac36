"""Activities that read what agents answered."""

from temporalio import activity

from activities.artifacts.contracts import Text, Texts
from activities.teams.contracts import Choice, ChoiceRequest, Items, ListRequest, VoteRequest
from catalogs.team_answers import MAX_ITEM_CHARS, MAX_ITEMS, items_of, picked, tally
from temporal.names import ActivityName


class TeamActivities:
    """Reads the answers of a team.

    Args:
        texts: Where they are read from.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    @activity.defn(name=ActivityName.VOTE)
    async def vote(self, request: VoteRequest) -> Choice:
        """Return the answer that more than half gave."""
        chosen, votes = tally(await self._read(request.answers))
        return Choice(chosen=chosen, votes=votes, of=len(request.answers))

    @activity.defn(name=ActivityName.CHOOSE)
    async def choose(self, request: ChoiceRequest) -> Choice:
        """Return the answer that a judge names."""
        return Choice(chosen=picked(await self._texts.read(request.answer), request.of), of=request.of)

    @activity.defn(name=ActivityName.LIST_ITEMS)
    async def list_items(self, request: ListRequest) -> Items:
        """Return the lines of some texts as parts of a task."""
        found = items_of(await self._read(request.texts))
        return Items(items=tuple(item[:MAX_ITEM_CHARS] for item in found[:MAX_ITEMS]), found=len(found))

    async def _read(self, texts: tuple[Text, ...]) -> list[str]:
        return [await self._texts.read(text) for text in texts]
