"""The activity that looks up passages."""

import asyncio

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.knowledge.contracts import Library, Retrieved, RetrieveRequest
from activities.prompts.contracts import NamedText
from temporal.names import ActivityName


class KnowledgeActivities:
    """Finds passages, and keeps those that were found.

    Args:
        library: Where they are looked up.
        texts: Where they are kept: documents change, what a row was given does not.
    """

    def __init__(self, library: Library, texts: Texts) -> None:
        self._library = library
        self._texts = texts

    @activity.defn(name=ActivityName.RETRIEVE)
    async def retrieve(self, request: RetrieveRequest) -> Retrieved:
        """Return passages that fit what a row is about.

        Raises:
            UnknownCollection: A collection is not there.
            KnowledgeUnavailable: The documents cannot be read now.
        """
        found = await asyncio.to_thread(self._library.find, request.collections, request.query, request.limit)
        kept = [NamedText(name=one.source, text=await self._texts.keep(one.text)) for one in found]
        return Retrieved(passages=tuple(kept))
