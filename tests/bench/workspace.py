"""``python -m tests.bench.workspace``: what a program costs with a folder of files, against the same one without."""

import asyncio
import sys
import time
from statistics import median
from typing import Final

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import Execution, Workspace
from catalogs.row import Language

ROUNDS: Final = 30
MEBIBYTE: Final = 1 << 20
CASES: Final = {
    "no files (as before)": None,
    "an empty folder": Workspace(keep=("**",)),
    "100 small files kept": Workspace(files={f"{n}.txt": b"x" * 100 for n in range(100)}, keep=("**",)),
    "8 MiB in one file kept": Workspace(files={"x": b"x" * 8 * MEBIBYTE}, keep=("**",)),
}


async def main() -> None:
    """Run each case in turn, over and over, and print medians and ratios."""
    sandbox, took = BubblewrapSandbox(), {name: [0.0] * 0 for name in CASES}
    for _ in range(ROUNDS):
        for name, workspace in CASES.items():
            execution = Execution(language=Language.SHELL, code=":", workspace=workspace)
            begin = time.perf_counter()
            result = await sandbox.execute(execution)
            took[name].append(time.perf_counter() - begin)
            assert (result.exit_code, result.unkept) == (0, "")
    base = median(took["no files (as before)"])
    for name, times in took.items():
        sys.stdout.write(f"{name:24} {median(times) * 1000:6.1f} ms  {median(times) / base:4.1f} x\n")


if __name__ == "__main__":
    asyncio.run(main())
