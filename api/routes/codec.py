"""A codec server as Temporal Web and Temporal's CLI speak to one: payloads in plain text for those who may."""

from typing import Annotated

from fastapi import APIRouter, Header
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import BaseModel, Field
from temporalio.api.common.v1 import Payloads
from temporalio.converter import PayloadCodec

from activities.audit.contracts import AuditEvent, AuditKind
from api.errors import BadRequest, Conflict, errors
from api.permission import may
from api.services import Served, Services
from temporal.key_ring import UnknownEncryptionKey

router = APIRouter(prefix="/codec", tags=["codec"], dependencies=[may("codec.decode")])

# A page of Temporal Web asks for those of one event at a time; the size of the body has a limit of its own.
MOST_PAYLOADS = 1000
Namespace = Annotated[str, Header(alias="x-namespace", max_length=1000, description="Temporal namespace of them")]


class WirePayload(BaseModel):
    """One payload in protobuf's JSON: values are base64."""

    metadata: dict[str, str] = {}
    data: str = ""


class WirePayloads(BaseModel):
    """What is asked and what is answered."""

    payloads: list[WirePayload] = Field(max_length=MOST_PAYLOADS)


@router.post("/decode", responses=errors(409, 422, 503))
async def decode_payloads(services: Served, wire: WirePayloads, namespace: Namespace = "") -> WirePayloads:
    """Return payloads as they were before encryption; what was not encrypted comes back as it is."""
    codec, payloads = _asked(services, wire, namespace)
    try:
        plain = await codec.decode(payloads.payloads)
    except UnknownEncryptionKey:
        # Neither where the keys are nor the id, which is whatever the request says, goes out.
        raise UnknownEncryptionKey("a payload names an encryption key that this installation does not have") from None
    await services.audit.write(
        AuditEvent(kind=AuditKind.CODEC_DECODED, subject=f"namespace/{namespace}", detail={"payloads": len(plain)})
    )
    return _wire(Payloads(payloads=plain))


@router.post("/encode", responses=errors(409, 422, 503))
async def encode_payloads(services: Served, wire: WirePayloads, namespace: Namespace = "") -> WirePayloads:
    """Return payloads encrypted with the newest key, such as those of a signal sent from Temporal Web."""
    codec, payloads = _asked(services, wire, namespace)
    return _wire(Payloads(payloads=await codec.encode(payloads.payloads)))


def _asked(services: Services, wire: WirePayloads, namespace: str) -> tuple[PayloadCodec, Payloads]:
    codec = services.temporal.data_converter.payload_codec
    if codec is None:
        raise Conflict("nothing is encrypted here: PRISM_ENCRYPTION is off")
    if namespace != services.settings.temporal_namespace:
        raise BadRequest("X-Namespace must be the Temporal namespace of this installation")
    try:
        return codec, ParseDict(wire.model_dump(), Payloads())
    except (ParseError, ValueError):
        # Without the cause, which repeats what was sent.
        raise BadRequest("a payload's data and the values of its metadata must be base64") from None


def _wire(payloads: Payloads) -> WirePayloads:
    return WirePayloads.model_validate({"payloads": [], **MessageToDict(payloads)})
