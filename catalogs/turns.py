"""The words an agent is given for its turn, by what it is to do."""

from collections.abc import Iterable
from typing import Final

from catalogs.prompts import joined, quoted
from catalogs.team import Agent, TurnKind

# Raised when the words below change: provenance states it.
TURN_TEMPLATE: Final = "turn/1"


_ORDERS: Final = {
    TurnKind.ANSWER: "",
    TurnKind.CONTINUE: "The agents before you have worked on this task. Do your part of it as {agent}.",
    TurnKind.PICK: "Decide which of these answers does the task best. Reply with one line: BEST: <its number>",
    TurnKind.DEBATE: "These are the answers of the round before. Weigh them, and give your own answer anew.",
    TurnKind.CONCLUDE: "These answers are the end of a debate. Give the one answer that follows from them.",
    TurnKind.LIST: "Do not do the task yet. Write the list of its parts: one part a line, and nothing else.",
    TurnKind.ITEM: "Do this part of the task only: {item}",
    TurnKind.PLAN: (
        "Do not do the task yourself. Propose the rows of work that do it, at most {item}. Reply with one JSON object: "
        '{{"rows": [{{"id": "...", "title": "...", "objective": "...", "depends_on": "..."}}]}}. Each row is carried '
        "out on its own by another model, which sees its objective and the results of the rows that it depends on, and "
        "nothing else. Fields are columns of a catalog, each a text: "
        "id (letters, digits and . _ - /), objective (what is to be done, complete in itself), depends_on (ids "
        "separated by '; ' of rows whose results it needs); others only where they are needed."
    ),
    TurnKind.REDUCE: "Every part of the task is done. Bring the parts together into the one result.",
}


def agent_prompt(agent: Agent, board: str) -> str:
    """Return who an agent is told to be."""
    of_board = f" You work for the board {board!r}." if board else ""
    return f"{agent.system}{of_board}"


def turn_prompt(task: str, kind: TurnKind, agent: Agent, shown: Iterable[tuple[str, str]], item: str = "") -> str:
    """Return what an agent is asked in its turn.

    Args:
        task: The row's prompt.
        kind: What it is to do.
        agent: Whose turn it is.
        shown: Name and text of each answer that it is shown.
        item: The part that it is to do.
    """
    order = _ORDERS[kind].format(agent=agent.role or agent.name, item=item) if _ORDERS[kind] else ""
    return joined([task, *(quoted(name, text) for name, text in shown), order])
