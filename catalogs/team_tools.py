"""Which tools each agent of a row may call: those of its definition, as far as the row allows them."""

from collections.abc import Mapping

from catalogs.columns import near_misses
from catalogs.faults import shown
from catalogs.notes import RowNotes
from catalogs.team import Agent, Pattern
from temporal.names import ErrorCode


def tools_of_team(
    team: tuple[Agent, ...],
    pattern: Pattern | None,
    named: Mapping[str, str] | None,
    tools: Mapping[str, str] | None,
    notes: RowNotes,
) -> dict[str, dict[str, str]]:
    """Return the tools of each agent, by its name; an agent that is left out may call the row's.

    Args:
        team: The row's agents.
        pattern: How they work together; one that works alone and whose definition names no tools calls the row's.
        named: Tools that the row names; ``None`` where it names none, and every agent may call all of its own.
        tools: Tools that there are, by name: digests of their definitions; ``None`` where nobody knows.
        notes: Where faults go.
    """
    if not any(agent.tools for agent in team) and (pattern is None or not named):
        return {}
    allowed = {
        agent.name: {name: (tools or {}).get(name, "") for name in agent.tools if named is None or name in named}
        for agent in team
    }
    _note_missing(team, tools, notes)
    if pattern is not Pattern.PLAN:
        # What a row names that plans is for the rows that it plans.
        _note_idle(team, named or {}, allowed, notes)
    return allowed


def _note_missing(team: tuple[Agent, ...], tools: Mapping[str, str] | None, notes: RowNotes) -> None:
    """Note tools of definitions that are not there: a folder that was just read names none, a plan's variant might."""
    for agent in dict.fromkeys(team) if tools is not None else ():
        for name in agent.tools:
            if name not in (tools or {}):
                message = f"agent: {agent.name} calls tool {shown(name)!r}, and there is no such tool"
                notes.note(ErrorCode.INVALID_VALUE, message, "agent", found=name, expected="a tool of PRISM_TOOLS")


def _note_idle(
    team: tuple[Agent, ...], named: Mapping[str, str], allowed: Mapping[str, Mapping[str, str]], notes: RowNotes
) -> None:
    """Note tools that the row names in vain: no agent of it may call them."""
    theirs = tuple(dict.fromkeys(name for agent in team for name in agent.tools))
    callable_ = {name for tools in allowed.values() for name in tools}
    for name in named:
        if name not in callable_:
            near = near_misses(name, theirs)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            who = ", ".join(dict.fromkeys(agent.name for agent in team))
            expected = f"one of {', '.join(theirs)}" if theirs else f"'tools' in the definition of {who}"
            message = f"tools: no agent of this row ({who}) may call {shown(name)!r}{hint}"
            notes.note(ErrorCode.INVALID_VALUE, message, "tools", found=name, expected=expected)
