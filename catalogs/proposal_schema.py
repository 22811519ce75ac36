"""What a model answers that proposes rows: an object whose fields are columns of a catalog."""

from typing import Any, Final

from catalogs.columns import COLUMNS

PROPOSAL_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {column.name: {"type": "string"} for column in COLUMNS},
                "required": ["id", "objective"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["rows"],
    "additionalProperties": False,
}
