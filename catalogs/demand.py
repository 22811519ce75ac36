"""What a catalog asks of models: how many calls to which group, and how long its prompts are, before anything runs."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import NonNegativeInt

from catalogs.criteria import Form, parse_criterion
from catalogs.prompts import composed_prompt, step_prompt, system_prompt
from catalogs.row import CatalogRow, Mode
from temporal.contract import Contract

# What a judge is told around the text: instructions, markers, numbers.
_JUDGE_CHARACTERS: Final = 1_100


class Load(Contract):
    """Some calls of one group.

    Args:
        calls: How many.
        characters: Of their prompts, without the answers that they quote.
        quoted: How many answers of other calls stand in their prompts.
    """

    calls: NonNegativeInt = 0
    characters: NonNegativeInt = 0
    quoted: NonNegativeInt = 0


class Demand(Contract):
    """What the rows of one board ask of one model group.

    Args:
        group: As the rows name it; empty for the default group.
        rows: How many they are.
        first: Calls that are made in any case.
        second: Calls that follow where a criterion or the schema fails: the output is written once more.
        judged: Calls to the judge's group, where there is one, about the first output; as many about the second.
    """

    board: str
    group: str
    rows: NonNegativeInt = 0
    first: Load = Load()
    second: Load = Load()
    judged: Load = Load()


class DemandTally:
    """Keeps of each row what it asks for, some bytes each: which rows are in the plan is known after the last one only.

    Rounds that a reviewer asks for are nobody's to foresee. A template counts as it is written, which is near enough to
    what it renders to; what it quotes is counted by answers.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], int] = {}
        self._whose = array("L")
        self._calls = array("L")
        self._characters = array("Q")
        self._verified = array("B")
        self._judged = array("Q")

    def add(self, row: CatalogRow) -> None:
        """Take in the next row of the file."""
        calls, characters = _asked(row)
        free = sum(map(len, _free_text(row.verification)))
        self._whose.append(self._places.setdefault((row.board, row.model), len(self._places)))
        self._calls.append(calls)
        self._characters.append(characters)
        self._verified.append(bool(row.verification or row.output_schema))
        self._judged.append(_JUDGE_CHARACTERS + len(row.objective) + free if free else 0)

    def over(self, chosen: Iterable[int], upstream: Mapping[int, Sequence[int]]) -> tuple[Demand, ...]:
        """Return what some rows ask for, each given by its place among the rows added.

        Args:
            chosen: The rows.
            upstream: Rows that a row depends on; it quotes their outputs.
        """
        sums = [[0] * 9 for _ in self._places]
        for place in chosen:
            calls, characters, verified = self._calls[place], self._characters[place], self._verified[place]
            # Each step of a row sees the answers of the steps before it.
            quoted = calls * len(upstream.get(place, ())) + calls * (calls - 1) // 2
            judged = self._judged[place]
            again = (calls, characters, quoted) if verified else (0, 0, 0)
            row = (calls, characters, quoted, *again, bool(judged), judged)
            found = sums[self._whose[place]]
            found[0] += 1
            for position, number in enumerate(row, start=1):
                found[position] += number
        named = zip(self._places, sums, strict=True)
        return tuple(_demand(board, group, numbers) for (board, group), numbers in sorted(named) if numbers[0])


def _demand(board: str, group: str, numbers: Sequence[int]) -> Demand:
    rows, *loads, judged, told = numbers
    return Demand(
        board=board,
        group=group,
        rows=rows,
        first=Load(calls=loads[0], characters=loads[1], quoted=loads[2]),
        second=Load(calls=loads[3], characters=loads[4], quoted=loads[5]),
        judged=Load(calls=judged, characters=told, quoted=judged),
    )


def _asked(row: CatalogRow) -> tuple[int, int]:
    """Return how many calls write a row's output, and how long their prompts are."""
    prompt, system = row.prompt or composed_prompt(row, {}), len(system_prompt(row))
    if row.mode is Mode.SINGLE or not row.workflow:
        return 1, system + len(prompt)
    steps = row.workflow
    return len(steps), sum(system + len(step_prompt(prompt, steps, phase, ())) for phase in range(len(steps)))


def _free_text(criteria: Iterable[str]) -> list[str]:
    """Return the criteria that no code decides."""
    return [criterion for criterion in criteria if parse_criterion(criterion).form is Form.FREE_TEXT]
