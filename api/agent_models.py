"""Agents and their tools as the API tells them."""

from typing import Any

from pydantic import BaseModel

from activities.feedback.contracts import Score
from catalogs.row import Language, Risk
from catalogs.team import Agent


class AgentUse(BaseModel):
    """What came of an agent's work, alone and in teams.

    Args:
        rows: How many rows named it.
        last_at: When the newest of them began; ``None`` where none did.
        score: What people think of the outputs that it had a part in; ``None`` where nobody said.
    """

    rows: int = 0
    last_at: str | None = None
    score: Score | None = None


class AgentView(BaseModel):
    """An agent that rows may name.

    Args:
        digest: Of its definition, as provenance states it.
        refused: Tools of its definition that the policy does not let it call, and why.
        use: What came of its work; only for who may see feedback everywhere.
    """

    agent: Agent
    digest: str
    refused: dict[str, list[str]] = {}
    use: AgentUse | None = None


class Agents(BaseModel):
    """Agents by name, and the collections of documents that rows may name."""

    agents: list[AgentView]
    knowledge: list[str] = []


class ToolDecision(BaseModel):
    """What the policy says of a row's first call of a tool; the arguments of a real call may change it.

    Args:
        risk: The row's.
        deny: Why it would not be carried out.
        review: Why a person would have to look.
    """

    risk: Risk
    allow: bool
    deny: list[str] = []
    review: list[str] = []


class ToolView(BaseModel):
    """A program that models may have run.

    Args:
        digest: Of its definition; plans name it.
        parameters: JSON schema of what it takes.
        agents: Whose definitions name it.
        policy: What the policy says of it, by risk.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    language: Language
    code: str
    digest: str
    agents: list[str] = []
    policy: list[ToolDecision] = []


class Tools(BaseModel):
    """The tools of the installation, in the order of their file."""

    tools: list[ToolView]
