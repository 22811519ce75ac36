"""Signing without a key of one's own, by sigstore: who signed is an identity, and a public log tells when.

https://docs.sigstore.dev/about/overview/
"""

import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from activities.provenance.contracts import SignerUnavailable
from temporal.redaction import PROCESS

_PROGRAM: Final = "activities.provenance.sigstore_process"
# The trust root, a certificate and an entry of the log: four answers, each of which has taken seconds.
SECONDS: Final = 60.0
_FAULT_LIMIT: Final = 500


class SigstoreCountersigner:
    """Has statements signed by sigstore; whatever keeps it from that is a fault, and nothing is signed instead.

    Args:
        token_file: Holds an OpenID Connect token for sigstore, read anew for each signature as somebody renews it;
            without it, what the surroundings offer (GitHub Actions, GitLab, Google Cloud and the like).
        trust: File of the client trust configuration of another instance than the public one.
        seconds: Longest one signature may take.
    """

    def __init__(self, token_file: Path | None = None, trust: Path | None = None, seconds: float = SECONDS) -> None:
        self._token_file = token_file
        self._trust = trust
        self._seconds = seconds

    async def countersign(self, statement: bytes) -> bytes:
        """Return the bundle over an in-toto statement; see :class:`Countersigner`."""
        request = {
            "statement": base64.b64encode(statement).decode(),
            "token": self._token(),
            "trust": str(self._trust) if self._trust else "",
        }
        answer = await self._asked(json.dumps(request).encode())
        if "bundle" not in answer:
            raise SignerUnavailable(f"sigstore did not sign: {PROCESS.redacted(str(answer['fault']))[:_FAULT_LIMIT]}")
        return json.dumps(answer["bundle"], sort_keys=True, separators=(",", ":")).encode()

    def _token(self) -> str:
        if self._token_file is None:
            return ""
        try:
            token = self._token_file.read_text().strip()
        except OSError as error:
            raise SignerUnavailable(f"the identity token {self._token_file} cannot be read: {error.strerror}") from None
        PROCESS.remember(SecretStr(token))
        return token

    async def _asked(self, request: bytes) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._seconds):
                output, _ = await process.communicate(request)
        except TimeoutError:
            raise SignerUnavailable(f"sigstore did not sign within {self._seconds:g} s: is it reachable?") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        try:
            answer: dict[str, Any] = json.loads(output)
        except ValueError:
            raise SignerUnavailable(f"the program that signs by sigstore ended with {process.returncode}") from None
        return answer
