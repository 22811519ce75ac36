"""The embedded model's process: serves one GGUF file on loopback until its standard input closes.

llama.cpp holds Python's lock for its whole start and hangs when it is closed in the middle of an answer; neither may
happen to the gateway, which holds paid calls.
"""

import os
import signal
import sys
from typing import Final

CONTEXT_TOKENS: Final = 8192
PARALLEL: Final = 2
# Threads of a call wait for each other spinning: beside Temporal and the workers, as many as cores is 5 times slower.
THREADS: Final = max(1, (os.cpu_count() or 2) // 2)
# llama.cpp's own scale: below errors, nothing.
_SILENT: Final = -1


def main() -> None:
    """Serve the file named by the first argument; the first line of standard output is the URL."""
    import xllamacpp  # noqa: PLC0415 -- whoever imports this module for its constants needs no engine

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.port = 0
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = PARALLEL
    params.cpuparams.n_threads = THREADS
    params.cpuparams_batch.n_threads = THREADS
    params.warmup = False
    params.ui = False
    params.verbosity = _SILENT
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}/v1\n")
    sys.stdout.flush()
    # Nothing reads what follows: a full pipe would stop the engine.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # Closes with the gateway, however that ends.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
