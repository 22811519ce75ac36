"""What HTTP takes and tells of secrets. Values come in and never go out."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from activities.secrets.ages import SecretAge
from activities.secrets.contracts import MAX_SECRET_BYTES
from api.models import Body
from temporal.secret_reference import VALUE

FieldName = Annotated[str, Field(min_length=1, max_length=100, description="Which of several values of one secret")]
Value = Annotated[SecretStr, Field(min_length=1, max_length=MAX_SECRET_BYTES, description="Told by no answer")]


class Secrets(BaseModel):
    """All secrets by name, without values."""

    secrets: list[SecretAge]


class SecretBody(Body):
    """A value to be kept."""

    value: Value
    field: FieldName = VALUE


class RotationBody(Body):
    """A value to go in place of the one that is there; without it 32 random bytes are made up."""

    value: Value | None = None
    field: FieldName = VALUE
