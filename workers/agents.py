"""What agents work with: who they are, the documents there are, and how much their models read."""

import asyncio
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine

from activities.agents.agents_folder import load_agents
from activities.knowledge.fts import FolderLibrary
from activities.llm.groups_file import load_groups
from activities.prompts.contracts import Windows, unknown_windows
from activities.reflections.comparison import ReflectedExperiments
from workers.settings import Settings


def installed(settings: Settings) -> dict[str, Any]:
    """Return what a catalog's reader needs to know of an installation; files are read as they are now.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
    """
    return {"agents": load_agents(settings.agents), "knowledge": open_library(settings).collections()}


async def in_use(settings: Settings, engine: Engine) -> dict[str, Any]:
    """Return the same with agents as reflections have changed them, and the experiments that try such changes.

    Raises:
        InvalidAgents: A file of an agent cannot be used.
    """
    found = await asyncio.to_thread(installed, settings)
    agents, trials = await ReflectedExperiments(engine).in_use(found["agents"])
    return found | {"agents": agents, "trials": trials}


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
