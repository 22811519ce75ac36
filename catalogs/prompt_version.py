"""Which words a row is asked in, apart from what its columns fill in."""

import hashlib
import json
from typing import Final

from catalogs.row import CatalogRow

# Rows without a template are asked in our words; a change of those in `prompts.py` makes a new version of them.
COMPOSED: Final = "composed/1"
_SHOWN: Final = 12


def prompt_version(row: CatalogRow) -> str:
    """Return a short digest of agent, template and mode: rows that have it alike are asked in the same words."""
    told: list[object] = [row.agent, row.prompt or COMPOSED, row.literal, row.mode.value]
    if row.team:
        told += [row.pattern, row.rounds, *(agent.digest for agent in row.team)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_SHOWN]
