"""Secrets: which there are and how old, and new values for them. No route tells a value.

Whoever has a value may use it anywhere, unseen. Who needs one to look at is on the installation's own machine
(``prism secrets get``), where an entry of the audit log is made for each; a stolen token of an administrator gets none.
"""

from typing import Annotated

from fastapi import APIRouter, Path

from activities.secrets.contracts import SecretVersion
from api.errors import errors
from api.models import Accepted
from api.permission import may
from api.secret_models import RotationBody, SecretBody, Secrets
from api.services import Served

router = APIRouter(prefix="/secrets", tags=["secrets"])

READS = may("secrets.read")
WRITES = may("secrets.write")
Name = Annotated[str, Path(description="Such as `openai` or `catalogs/db`", max_length=200)]


@router.get("", responses=errors(502, 503), dependencies=[READS])
async def list_secrets(services: Served) -> Secrets:
    """List secrets with versions and ages, without values."""
    return Secrets(secrets=list(await services.secrets.ages()))


@router.put("/{name:path}", responses=errors(422, 502, 503), dependencies=[WRITES])
async def set_secret(name: Name, body: SecretBody, services: Served) -> SecretVersion:
    """Keep a new version of a secret, new or known; its other fields stay."""
    return await services.secrets.put(name, body.field, body.value)


@router.post("/{name:path}/rotate", responses=errors(404, 422, 502, 503), dependencies=[WRITES])
async def rotate_secret(name: Name, body: RotationBody, services: Served) -> SecretVersion:
    """Replace a secret that is there; the version before counts on for `PRISM_SECRETS_OVERLAP_DAYS`."""
    return await services.secrets.rotate(name, body.field, body.value)


@router.delete("/{name:path}", responses=errors(404, 422, 502, 503), dependencies=[WRITES])
async def delete_secret(name: Name, services: Served) -> Accepted:
    """Remove a secret with all its versions, for good."""
    await services.secrets.delete(name)
    return Accepted()
