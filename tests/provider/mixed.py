"""A mixed catalog of two hundred rows: risks, classes of data, lengths and criteria, as a company's might be."""

import csv
import io
import random

ROWS = 200
# An answer of the vendors of tests ends so; a criterion that asks for it passes, one for another mark fails.
PASSES, FAILS_AT_HOME = "starts_with:Answer", "not_contains:HOUSE"


def mixed_rows(rows: int = ROWS) -> list[dict[str, str]]:
    """Return the catalog's rows, the same at every call."""
    chance = random.Random(20261128)  # noqa: S311 -- repeatable
    return [_row(number, chance) for number in range(rows)]


def mixed_catalog(rows: int = ROWS) -> str:
    """Return the catalog as CSV."""
    made = io.StringIO()
    writer = csv.DictWriter(made, ["id", "objective", "risk", "data_class", "verification"])
    writer.writeheader()
    writer.writerows(mixed_rows(rows))
    return made.getvalue()


def _row(number: int, chance: random.Random) -> dict[str, str]:
    words = "figure " * chance.choice([5, 20, 200, 800])
    criteria = chance.choices(["", PASSES, "is friendly", FAILS_AT_HOME], [30, 45, 15, 10])[0]
    return {
        "id": f"row-{number}",
        "objective": f"Sum up report {number}: {words}".strip(),
        "risk": chance.choices(["low", "medium", "high", "critical"], [60, 22, 14, 4])[0],
        "data_class": chance.choices(["", "public", "confidential", "restricted"], [60, 28, 4, 8])[0],
        "verification": criteria,
    }
