"""What a catalog asks of models: how many calls to which group, and how long its prompts are, before anything runs."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import NonNegativeInt

from catalogs.criteria import Form, parse_criterion
from catalogs.prompts import composed_prompt, step_prompt, system_prompt
from catalogs.row import Cache, CatalogRow, Mode
from catalogs.team import Pattern
from catalogs.tools import TOOL_BYTES
from catalogs.turns import agent_prompt
from temporal.contract import Contract

# What a judge is told around the text: instructions, markers, numbers.
_JUDGE_CHARACTERS: Final = 1_100
# What an agent is told about its turn.
_ORDER_CHARACTERS: Final = 90
# How long the lists are that agents work through is nobody's to foresee.
_USUAL_PARTS: Final = 10


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
        tooled: Those of ``first`` and ``second`` whose model may call tools: each may be followed by more.
        caching: Rows that may be answered by what was answered before.
        unsaid: Rows that leave that to the installation.
    """

    board: str
    group: str
    rows: NonNegativeInt = 0
    first: Load = Load()
    second: Load = Load()
    judged: Load = Load()
    tooled: Load = Load()
    caching: NonNegativeInt = 0
    unsaid: NonNegativeInt = 0


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
        self._answers = array("L")
        self._teams = array("B")
        self._verified = array("B")
        self._tooled = array("B")
        self._caching = array("B")
        self._unsaid = array("B")
        self._judged = array("Q")

    def add(self, row: CatalogRow) -> None:
        """Take in the next row of the file."""
        calls, characters, answers = _asked(row)
        # Of a team some agents may have tools and others none: as if each had those of the one with most.
        tools = max([len(row.tools_of(None)), *(len(row.tools_of(agent)) for agent in row.team)])
        characters += calls * tools * TOOL_BYTES
        free = sum(map(len, _free_text(row.verification)))
        self._whose.append(self._places.setdefault((row.board, _group(row)), len(self._places)))
        self._calls.append(calls)
        self._characters.append(characters)
        self._answers.append(answers)
        self._teams.append(row.pattern is not None)
        self._verified.append(bool(row.verification or row.output_schema))
        self._tooled.append(bool(tools))
        self._caching.append(row.cache in (Cache.USE, Cache.SEMANTIC))
        self._unsaid.append(row.cache is None)
        self._judged.append(_JUDGE_CHARACTERS + len(row.objective) + free if free else 0)

    def over(self, chosen: Iterable[int], upstream: Mapping[int, Sequence[int]]) -> tuple[Demand, ...]:
        """Return what some rows ask for, each given by its place among the rows added.

        Args:
            chosen: The rows.
            upstream: Rows that a row depends on; it quotes their outputs.
        """
        sums = [[0] * 14 for _ in self._places]
        for place in chosen:
            calls, characters, verified = self._calls[place], self._characters[place], self._verified[place]
            needed = len(upstream.get(place, ()))
            quoted = calls * needed + self._answers[place]
            judged = self._judged[place]
            # Of a team, the one whose text it is writes it again, and is shown it.
            whole = (1, characters // max(calls, 1), needed + 1) if self._teams[place] else (calls, characters, quoted)
            again = whole if verified else (0, 0, 0)
            first = (calls, characters, quoted)
            tooled = [one + more if self._tooled[place] else 0 for one, more in zip(first, again, strict=True)]
            cached = (self._caching[place], self._unsaid[place])
            row = (*first, *again, bool(judged), judged, *tooled, *cached)
            found = sums[self._whose[place]]
            found[0] += 1
            for position, number in enumerate(row, start=1):
                found[position] += number
        named = zip(self._places, sums, strict=True)
        return tuple(_demand(board, group, numbers) for (board, group), numbers in sorted(named) if numbers[0])


def _demand(board: str, group: str, numbers: Sequence[int]) -> Demand:
    rows, *loads, judged, told, calls, characters, quoted, caching, unsaid = numbers
    return Demand(
        board=board,
        group=group,
        rows=rows,
        first=Load(calls=loads[0], characters=loads[1], quoted=loads[2]),
        second=Load(calls=loads[3], characters=loads[4], quoted=loads[5]),
        judged=Load(calls=judged, characters=told, quoted=judged),
        tooled=Load(calls=calls, characters=characters, quoted=quoted),
        caching=caching,
        unsaid=unsaid,
    )


def _group(row: CatalogRow) -> str:
    """Return whom a row asks; a team whose agents ask several groups is reckoned as if all asked the first's."""
    return row.model or (row.team[0].model if row.team else "")


def _asked(row: CatalogRow) -> tuple[int, int, int]:
    """Return how many calls write a row's output, how long their prompts are, and how many answers those quote."""
    prompt = row.prompt or composed_prompt(row, {})
    if row.pattern is not None:
        calls, quoted = _turns(row.pattern, len(row.team), row.rounds)
        told = sum(len(agent.system) for agent in row.team) // max(len(row.team), 1)
        return calls, calls * (told + len(prompt) + _ORDER_CHARACTERS), quoted
    system = len(agent_prompt(row.team[0], row.board) if row.team else system_prompt(row))
    if row.mode is Mode.SINGLE or not row.workflow:
        return 1, system + len(prompt), 0
    steps = row.workflow
    calls = len(steps)
    characters = sum(system + len(step_prompt(prompt, steps, phase, ())) for phase in range(calls))
    # Each step of a row sees the answers of the steps before it.
    return calls, characters, calls * (calls - 1) // 2


def _turns(pattern: Pattern, agents: int, rounds: int) -> tuple[int, int]:
    """Return how many turns a team takes, and how many answers it is shown in all of them together."""
    others = agents - 1
    return {
        Pattern.PIPELINE: (agents, agents * others // 2),
        Pattern.VOTE: (agents, 0),
        Pattern.JUDGE: (agents, others),
        Pattern.DEBATE: (others * rounds + 1, others * others * (rounds - 1) + others),
        Pattern.MAP: (_USUAL_PARTS + others, _USUAL_PARTS),
        # What the rows ask for that it proposes is nobody's to foresee.
        Pattern.PLAN: (1, 0),
    }[pattern]


def _free_text(criteria: Iterable[str]) -> list[str]:
    """Return the criteria that no code decides."""
    return [criterion for criterion in criteria if parse_criterion(criterion).form is Form.FREE_TEXT]
