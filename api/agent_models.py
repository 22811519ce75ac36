"""Agents as the API tells them."""

from pydantic import BaseModel

from catalogs.team import Agent


class AgentView(BaseModel):
    """An agent that rows may name.

    Args:
        digest: Of its definition, as provenance states it.
    """

    agent: Agent
    digest: str


class Agents(BaseModel):
    """Agents by name, and the collections of documents that rows may name."""

    agents: list[AgentView]
    knowledge: list[str] = []
