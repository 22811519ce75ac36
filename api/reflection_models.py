"""Bodies of HTTP requests and answers about reflections."""

from pydantic import BaseModel, Field, PositiveInt

from activities.reflections.contracts import Reflection
from api.models import Body
from catalogs.team import AgentName


class ReflectBody(Body):
    """What is to be reflected on.

    Args:
        agent: Whose prompt.
        board: Only what was wrong on this board.
        model: Model group that proposes; empty for whom the reflector asks.
        wanted: How many pieces of evidence there must be; left out, as the installation is set up.
        by: Who asks; needed nowhere, and never somebody else.
    """

    agent: AgentName
    board: str = Field(default="", max_length=200)
    model: str = Field(default="", max_length=200)
    wanted: PositiveInt | None = Field(default=None, le=100)
    by: str = Field(default="", max_length=200)


class Reflections(BaseModel):
    """Reflections, the newest first.

    Args:
        wanted: How many pieces of evidence one takes, where nobody says otherwise.
    """

    reflections: list[Reflection]
    wanted: int
