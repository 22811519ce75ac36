"""What agents work with: who they are, the documents there are, and how much their models read."""

from typing import Any

from pydantic import SecretStr

from activities.agents.agents_folder import load_agents
from activities.knowledge.fts import FolderLibrary
from activities.llm.groups_file import load_groups
from activities.prompts.contracts import Windows, unknown_windows
from activities.tools.tools_file import load_tools
from catalogs.options import ReadOptions
from workers.settings import Settings


def installed(settings: Settings) -> dict[str, Any]:
    """Return what a catalog's reader needs to know of an installation; files are read as they are now.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
        InvalidTools: The tools cannot be used.
    """
    tools = load_tools(settings.tools)
    agents = load_agents(settings.agents, [tool.name for tool in tools])
    return {"agents": agents, "knowledge": open_library(settings).collections(), "tools": tools}


def reading(settings: Settings) -> ReadOptions:
    """Return how rows are read that a row of a run proposes.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
        InvalidTools: The tools cannot be used.
    """
    return ReadOptions(**installed(settings))


def open_library(settings: Settings) -> FolderLibrary:
    """Return what finds passages of documents."""
    return FolderLibrary(settings.knowledge, settings.knowledge_index)


async def open_windows(settings: Settings) -> Windows:
    """Return what says how many tokens a model group reads.

    Raises:
        InvalidModels: The models cannot be used.
    """
    if settings.models is None:
        return unknown_windows
    return (await load_groups(settings.models, _no_key, settings.default_group)).window


async def _no_key(source: str, whose: str) -> SecretStr:  # noqa: ARG001 -- nobody calls a model here
    return SecretStr("")
