"""What becomes of approved versions of agents: compared with what they were made of, and used once adopted."""

from collections.abc import Mapping

from sqlalchemy import Engine

from activities.experiments.contracts import ExperimentSpec, Status
from activities.experiments.register import SqlExperiments
from activities.reflections.contracts import PromptVersion
from activities.reflections.register import SqlReflectionRegister
from catalogs.experiment import Variant
from catalogs.team import Agent

PRESENT = "present"
PROPOSED = "proposed"
_AGENT_CHARS = 50
_UNIQUE_CHARS = 8


class ReflectedExperiments:
    """Experiments that reflections begin.

    Args:
        engine: The records database.
    """

    def __init__(self, engine: Engine) -> None:
        self._experiments = SqlExperiments(engine)
        self._register = SqlReflectionRegister(engine)

    async def compare(self, version: PromptVersion, present: Agent) -> str:
        """Begin the comparison of a version with the agent that it was made of, once; return its name."""
        spec = ExperimentSpec(
            name=f"{present.name[:_AGENT_CHARS]}-{version.reflection[-_UNIQUE_CHARS:]}",
            about=f"{version.definition.label} of {version.reflection} against {present.label}",
            variants=(Variant(name=PRESENT), Variant(name=PROPOSED, agent=version.definition)),
        )
        return (await self._experiments.create(spec, by=version.approved_by)).spec.name

    async def in_use(self, defined: Mapping[str, Agent]) -> tuple[dict[str, Agent], dict[str, str]]:
        """Return the agents that are in use, and by agent the experiment that its rows take part in.

        A version is used once its experiment ended by adopting it, and tried while that lasts: for as long as the
        agent is what the version was made of. Who changes an agent's file has the last word.

        Args:
            defined: Agents as their files define them, by name.
        """
        agents, trials = dict(defined), {}
        versions = await self._register.versions()
        experiments = {one.spec.name: one for one in await self._experiments.all()} if versions else {}
        for version in versions:
            name = version.definition.name
            experiment = experiments.get(version.experiment)
            if experiment is None or name not in agents or version.parent != agents[name].digest:
                continue
            if experiment.status is not Status.ENDED:
                trials[name] = version.experiment
            elif experiment.adopted == PROPOSED:
                agents[name] = version.definition
                trials.pop(name, None)
        return agents, trials
