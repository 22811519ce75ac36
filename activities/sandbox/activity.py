"""Activities that run code nobody vouches for."""

import asyncio
import contextlib
from typing import Final

from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.sandbox.contracts import Execution, Sandbox, SandboxRequest, SandboxResult
from activities.sandbox.extraction import extract_program
from temporal.names import ActivityName

_HEARTBEAT_SECONDS: Final = 5.0


class SandboxActivities:
    """Runs programs in a sandbox.

    Args:
        sandbox: Runs one program, isolated.
        texts: Reads programs and keeps what they print.
    """

    def __init__(self, sandbox: Sandbox, texts: Texts) -> None:
        self._sandbox = sandbox
        self._texts = texts

    @activity.defn(name=ActivityName.EXECUTE)
    async def execute(self, request: SandboxRequest) -> SandboxResult:
        """Run one program; that it fails is a result, not an error."""
        code = await self._texts.read(request.code)
        execution = Execution(
            language=request.language,
            code=extract_program(code, request.language) if request.extract else code,
            stdin=await self._texts.read(request.stdin) if request.stdin else "",
            limits=request.limits,
        )
        pulse = asyncio.create_task(_beat())
        try:
            result = await self._sandbox.execute(execution)
        finally:
            pulse.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pulse
        return SandboxResult(
            reason=result.reason,
            exit_code=result.exit_code,
            stdout=await self._texts.keep(result.stdout),
            stderr=await self._texts.keep(result.stderr),
            truncated=result.truncated,
            seconds=result.seconds,
        )


async def _beat() -> None:
    """Tell Temporal every few seconds that the program still runs; this is also how cancellation comes."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(_HEARTBEAT_SECONDS)
