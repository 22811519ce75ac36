"""Activities that check outputs by code."""

import asyncio

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.verification.contracts import Structured, StructureRequest, Verification, VerificationRequest
from temporal.names import ActivityName


class VerificationActivities:
    """Checks outputs against their criteria.

    Args:
        texts: Reads what is checked.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    @activity.defn(name=ActivityName.VERIFY)
    async def verify(self, request: VerificationRequest) -> Verification:
        """Check one output; free text is left *unverified*."""
        # Not at the top: workflows import this module, and need neither jsonschema nor regex.
        from activities.verification.checks import check_all  # noqa: PLC0415

        output = await self._texts.read(request.output)
        # A thread, since a regular expression may take up to its limit; the regex module frees the GIL.
        return Verification(verdicts=await asyncio.to_thread(check_all, request.criteria, output))

    @activity.defn(name=ActivityName.STRUCTURE)
    async def structure(self, request: StructureRequest) -> Structured:
        """Return an answer as canonical JSON, or what keeps it from being that."""
        from activities.verification.documents import canonical  # noqa: PLC0415 -- see above

        output = await self._texts.read(request.output)
        document, faults = await asyncio.to_thread(canonical, request.output_schema, output)
        return Structured(output=await self._texts.keep(document) if document else None, faults=tuple(faults))
