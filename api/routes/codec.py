"""Temporal's codec server: Temporal Web sends what it cannot read, and gets it in plain text."""

import base64
import binascii
import time
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field
from temporalio.api.common.v1 import Payload

from activities.audit.contracts import AuditEvent, AuditKind
from api.errors import BadRequest, NotFound, errors
from api.models import Body
from api.permission import Access, may
from api.services import Served, Services
from temporal.codec import EncryptionCodec
from temporal.key_ring import KeyRing

router = APIRouter(prefix="/codec", tags=["codec"])

Decodes = Annotated[Access, may("payloads.decode")]
Namespace = Annotated[str, Header(alias="X-Namespace", max_length=200)]
_MINUTE = 60


class PayloadJson(BaseModel):
    """A payload as protobuf's JSON has it: bytes in base64."""

    metadata: dict[str, str] = Field(default_factory=dict)
    data: str = ""


class Payloads(BaseModel):
    """Payloads, in order."""

    payloads: list[PayloadJson]


class PayloadsBody(Body):
    """Payloads to be decoded or encoded, as Temporal Web sends them."""

    # What they hold is nobody's text.
    catalogs: ClassVar[frozenset[str]] = frozenset({"payloads"})

    payloads: list[PayloadJson] = Field(max_length=10_000)


@router.post("/decode", responses=errors(400, 404, 422, 503))
async def decode(body: PayloadsBody, services: Served, access: Decodes, x_namespace: Namespace = "") -> Payloads:
    """Return payloads in plain text; what is not encrypted comes back as it is."""
    plain = await _codec(services, x_namespace).decode(_parsed(body))
    await _told(services, access, len(plain))
    return _shown(plain)


@router.post("/encode", responses=errors(400, 404, 422, 503))
async def encode(body: PayloadsBody, services: Served, access: Decodes, x_namespace: Namespace = "") -> Payloads:  # noqa: ARG001 -- who may not is refused
    """Encrypt payloads, as Temporal Web does before it signals or starts a workflow."""
    return _shown(await _codec(services, x_namespace).encode(_parsed(body)))


def _codec(services: Services, namespace: str) -> EncryptionCodec:
    settings = services.settings
    if namespace not in {"", settings.temporal_namespace}:
        raise NotFound(f"this installation works in the namespace {settings.temporal_namespace}", namespace=namespace)
    if settings.encryption == "off" and not settings.encryption_keys.exists():
        raise NotFound("nothing is encrypted here: PRISM_ENCRYPTION is off and was never on")
    return EncryptionCodec(KeyRing.open(settings.encryption_keys), settings.temporal_namespace)


def _parsed(body: PayloadsBody) -> list[Payload]:
    try:
        return [
            Payload(
                metadata={name: base64.b64decode(value, validate=True) for name, value in one.metadata.items()},
                data=base64.b64decode(one.data, validate=True),
            )
            for one in body.payloads
        ]
    except (binascii.Error, ValueError):
        raise BadRequest("a payload is not base64") from None


def _shown(payloads: list[Payload]) -> Payloads:
    return Payloads(payloads=[PayloadJson.model_validate(_json(payload)) for payload in payloads])


def _json(payload: Payload) -> dict[str, Any]:
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}


async def _told(services: Services, access: Access, count: int) -> None:
    """Record who reads plain text, once a minute: a page of Temporal Web asks many times."""
    name = access.principal.name
    key = f"codec/{name}/{int(time.time() // _MINUTE)}"
    event = AuditEvent(
        kind=AuditKind.PAYLOADS_DECODED, actor=name, subject="temporal", detail={"first": count}, key=key
    )
    await services.audit.write(event)
