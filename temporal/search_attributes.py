"""Typed keys of the custom search attributes."""

from typing import Final

from temporalio.common import SearchAttributeKey

from temporal.names import SearchAttribute

RUN: Final = SearchAttributeKey.for_keyword(SearchAttribute.RUN)
ROW: Final = SearchAttributeKey.for_keyword(SearchAttribute.ROW)
BOARD: Final = SearchAttributeKey.for_keyword(SearchAttribute.BOARD)
STATUS: Final = SearchAttributeKey.for_keyword(SearchAttribute.STATUS)
REVIEW: Final = SearchAttributeKey.for_keyword(SearchAttribute.REVIEW)
