"""Artifacts by digest, and verification of provenance."""

from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from activities.artifacts.contracts import ArtifactCorrupt, ArtifactNotFound
from activities.provenance.contracts import ProvenanceInvalid
from activities.provenance.keys import KeySet
from activities.provenance.verify import Verified, check_files, verify_envelope
from activities.records.views import RowView
from api.control import known_row
from api.errors import BadRequest, NotFound, errors
from api.models import Verification, VerifyBody
from api.permission import may
from api.services import Served, Services
from workers.provenance import public_keys

NO_KEY: Final = "there is no signing key yet; a worker makes it at its first start"

router = APIRouter(tags=["provenance"])

DigestPath = Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$")]


@router.get(
    "/artifacts/{digest}",
    dependencies=[may("artifacts.read")],
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, **errors(404, 422, 503)},
)
async def get_artifact(digest: DigestPath, services: Served) -> Response:
    """Download an artifact: a prompt, an output, an envelope."""
    data = await services.stores.artifacts.get(digest)
    # Never rendered by a browser: outputs are other people's text.
    headers = {"content-disposition": f'attachment; filename="{digest.removeprefix("sha256:")[:16]}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.get(
    "/provenance/key",
    dependencies=[may("provenance.verify")],
    response_class=Response,
    responses={200: {"content": {"application/x-pem-file": {}}}, **errors(404)},
)
async def get_key(services: Served) -> Response:
    """Download the public key that verifies this installation's envelopes."""
    return Response(_public_key(services), media_type="application/x-pem-file")


@router.post("/provenance/verify", responses=errors(400, 404, 422, 503), dependencies=[may("provenance.verify")])
async def verify(body: VerifyBody, services: Served) -> Verification:
    """Verify a row's envelope against its output and its files, or an envelope by digest."""
    output = row = None
    if body.run and body.row:
        row = await known_row(services, body.run, body.row)
        if row.envelope is None:
            raise NotFound(f"row {body.row} has no envelope", run=body.run, row=body.row)
        digest = row.envelope
        output = await services.stores.artifacts.get(row.output_digest) if row.output_digest else None
    elif body.envelope:
        digest = body.envelope
    else:
        raise BadRequest("name a run and a row, or an envelope")
    try:
        verified = verify_envelope(await services.stores.artifacts.get(digest), _keys(services), output=output)
        if row is not None:
            await _check_files(services, row, verified)
    except ProvenanceInvalid as error:
        return Verification(valid=False, reason=error.message)
    return Verification(
        valid=True,
        keyid=verified.keyid,
        output=verified.output,
        output_checked=verified.output_checked,
        statement=verified.statement,
        files=verified.files,
        files_checked=row is not None,
    )


async def _check_files(services: Services, row: RowView, verified: Verified) -> None:
    """Check that the files of a row are stored as they were sealed, and are those that its record lists.

    Raises:
        ProvenanceInvalid: One is missing or was changed.
    """
    check_files(verified.files, {one.path: one.digest for one in row.files})
    for path, digest in verified.files.items():
        try:
            await services.stores.artifacts.get(digest)
        except (ArtifactNotFound, ArtifactCorrupt) as fault:
            raise ProvenanceInvalid(f"the file {path} is missing or was changed: {fault.message}", path=path) from None


def _keys(services: Services) -> KeySet:
    keys = public_keys(services.settings).keys()
    if not keys.ids:
        raise NotFound(NO_KEY)
    return keys


def _public_key(services: Services) -> bytes:
    try:
        return services.settings.public_key.read_bytes()
    except FileNotFoundError:
        raise NotFound(NO_KEY) from None
