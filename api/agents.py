"""Agents and tools of the installation: what every front door tells of them."""

import asyncio

from activities.agents.register import SqlAgentRows, agents_of
from activities.artifacts.contracts import Text
from activities.feedback.contracts import Dimension, Score
from activities.feedback.register import SqlFeedbackRegister, score
from activities.tools.contracts import ToolCheckRequest, ToolPermission, ToolUse
from api.agent_models import Agents, AgentUse, AgentView, ToolDecision, Tools, ToolView
from api.services import Services
from catalogs.row import Risk
from catalogs.tools import Tool
from temporal.contract import StepRef
from workers.agents import installed
from workers.reflections import in_use


async def agents(services: Services, *, with_use: bool) -> Agents:
    """Return the agents that rows may name.

    Args:
        services: What the routes work with.
        with_use: Whether what came of their work is told too.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
        InvalidTools: The tools cannot be used.
    """
    found = await in_use(services.settings, services.stores.engine)
    tools = {tool.name: tool for tool in found["tools"]}
    use = await _uses(services, frozenset(found["agents"])) if with_use else {}
    views = []
    for name, agent in sorted(found["agents"].items()):
        asked = {one: await _permission(services, tools[one], Risk.LOW, name) for one in agent.tools}
        refused = {one: list(said.deny) for one, said in asked.items() if not said.allow}
        views.append(AgentView(agent=agent, digest=agent.digest, refused=refused, use=use.get(name)))
    return Agents(agents=views, knowledge=list(found["knowledge"]))


async def tools(services: Services) -> Tools:
    """Return the programs that models may have run, and what the policy says of them.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
        InvalidTools: The tools cannot be used.
    """
    found = await asyncio.to_thread(installed, services.settings)
    views = []
    for tool in found["tools"]:
        said = [(risk, await _permission(services, tool, risk)) for risk in Risk]
        views.append(
            ToolView(
                **tool.model_dump(),
                digest=tool.digest,
                agents=sorted(name for name, agent in found["agents"].items() if tool.name in agent.tools),
                policy=[
                    ToolDecision(risk=risk, allow=one.allow, deny=list(one.deny), review=list(one.review))
                    for risk, one in said
                ],
            )
        )
    return Tools(tools=views)


async def _permission(services: Services, tool: Tool, risk: Risk, agent: str = "") -> ToolPermission:
    """Ask the policy about a call that nobody makes: the first one of a row."""
    request = ToolCheckRequest(
        step=StepRef(run="", row="", step="tool-policy"),
        tools={tool.name: tool.digest},
        name=tool.name,
        arguments=Text.by_value("{}"),
        risk=risk.value,
        agent=agent,
    )
    return await services.policy.use_tool(ToolUse(request=request, language=tool.language, arguments={}))


async def _uses(services: Services, known: frozenset[str]) -> dict[str, AgentUse]:
    """Return what came of each agent's work; a team's outputs count for each of its agents."""
    rows = await SqlAgentRows(services.stores.engine).counts()
    scores = {one.name: one for one in await SqlFeedbackRegister(services.stores.engine).scores(Dimension.AGENT)}
    theirs = {cell: agents_of(cell, known) for cell in rows.keys() | scores.keys()}
    uses = {}
    for name in known:
        cells = [cell for cell, names in theirs.items() if name in names]
        counted = [rows[cell] for cell in cells if cell in rows]
        begun = [last for _, last in counted if last]
        uses[name] = AgentUse(
            rows=sum(count for count, _ in counted),
            last_at=max(begun, default=None),
            score=_together(name, [scores[cell] for cell in cells if cell in scores]),
        )
    return uses


def _together(name: str, scores: list[Score]) -> Score | None:
    """Return the score of several that have no output in common."""
    votes = sum(one.votes for one in scores)
    if not votes:
        return None
    return score(name, sum(one.good for one in scores), votes, sum(one.outputs for one in scores))
