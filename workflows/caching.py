"""Whether a row's model calls may be answered by what the same calls were answered before."""

from typing import Final

from catalogs.row import Cache, CatalogRow

_USES: Final = (Cache.USE, Cache.SEMANTIC)


class Caching:
    """Lets earlier answers serve, and never one that this row had and did not take.

    Args:
        generation: Which fresh set of model calls the row makes: above 0 its answers were refused before.
    """

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._asked: set[str] = set()

    def of(self, row: CatalogRow, asked: str, *, similar: bool = False) -> Cache | None:
        """Return what the next call does; ``None`` leaves it to the installation.

        Args:
            row: The row.
            asked: Digest of what is asked.
            similar: Whether it may be answered by what a similar one was: the row's first call may, as later ones
                say what was wrong with an answer in a prompt that is much like the first.
        """
        first = not self._asked
        again = self._generation > 0 or asked in self._asked
        self._asked.add(asked)
        if not again:
            return Cache.USE if row.cache is Cache.SEMANTIC and not (first and similar) else row.cache
        # A row that uses the cache leaves the new answer there; one that does not say leaves nothing.
        return Cache.BYPASS if row.cache is None else Cache.REFRESH if row.cache in _USES else row.cache
