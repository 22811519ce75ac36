"""TEMPORARY until experiments are merged."""

from sqlalchemy import Engine

from activities.reflections.contracts import PromptVersion
from catalogs.team import Agent


class ReflectedExperiments:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def compare(self, version: PromptVersion, present: Agent) -> str:
        return ""
