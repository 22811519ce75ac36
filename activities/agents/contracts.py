"""Faults of agents' files."""

from temporal.errors import InvalidFile


class InvalidAgents(InvalidFile):
    """A file of an agent cannot be used; ``details["faults"]`` lists why."""

    what = "agent"
