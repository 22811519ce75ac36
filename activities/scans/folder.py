"""Scans a folder with several scanners at once and puts together what they found."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from activities.scans.contracts import ScannerFailed
from activities.scans.folder_contracts import CodeFinding, FolderReport, ScannerState
from activities.scans.sarif import read_findings
from activities.scans.scanner import Run, Scanner
from activities.scans.suppressions import Suppressions
from activities.scans.tools import program

SECONDS: Final = 300.0
MAX_REPORT_BYTES: Final = 64 * 1024 * 1024
_STDERR_LIMIT: Final = 300
# Semgrep would ask whether there is a newer one, for minutes where nothing answers.
QUIET: Final = {"SEMGREP_SEND_METRICS": "off", "SEMGREP_ENABLE_VERSION_CHECK": "0"}


class FolderScanner:
    """Runs scanners, each as a process of its own with nothing of this one's environment.

    A scanner that is missing, crashes, takes too long or writes something else than SARIF is a problem of the report,
    never a clean result.

    Args:
        scanners: Which.
        suppressions: Findings that count for nothing.
        seconds: Longest one scanner may take, all that it runs together.
        today: What day it is, for suppressions; by default today's.
    """

    def __init__(
        self,
        scanners: Sequence[Scanner],
        suppressions: Suppressions | None = None,
        *,
        seconds: float = SECONDS,
        today: date | None = None,
    ) -> None:
        self._scanners = scanners
        self._suppressions = suppressions or Suppressions()
        self._seconds = seconds
        self._today = today or datetime.now(UTC).date()

    async def scan(self, folder: Path) -> FolderReport:
        """Return what the scanners found in a folder, the worst first, each finding once."""
        outcomes = await asyncio.gather(*(self._one(scanner, folder) for scanner in self._scanners))
        found = {one.fingerprint + str(one.line): one for _, findings in outcomes for one in findings}
        shown = [self._suppressions.applied(one, self._today) for one in found.values()]
        shown.sort(key=lambda one: (bool(one.suppressed), -one.severity.rank, one.path, one.line, one.scanner))
        return FolderReport(
            scanners=tuple(state for state, _ in outcomes),
            findings=tuple(shown),
            expired=self._suppressions.expired(self._today),
        )

    async def _one(self, scanner: Scanner, folder: Path) -> tuple[ScannerState, tuple[CodeFinding, ...]]:
        began = time.monotonic()
        home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="prism-scan-"))
        state = ScannerState(scanner=scanner.name)
        findings: tuple[CodeFinding, ...] = ()
        try:
            async with asyncio.timeout(self._seconds):
                state = state.model_copy(update={"version": await self._version(scanner, home)})
                findings = await self._findings(scanner, folder, home)
        except TimeoutError:
            state = state.model_copy(update={"problem": f"{scanner.name} did not finish within {self._seconds:g} s"})
        except ScannerFailed as fault:
            state = state.model_copy(update={"problem": fault.message})
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, home, ignore_errors=True))
        return state.model_copy(update={"seconds": round(time.monotonic() - began, 2)}), findings

    async def _version(self, scanner: Scanner, home: Path) -> str:
        name, *arguments = scanner.version
        path = name if os.sep in name else program(name)
        _, output, _ = await self._run(scanner, (path, *arguments), home)
        return scanner.told(output)

    async def _findings(self, scanner: Scanner, folder: Path, home: Path) -> tuple[CodeFinding, ...]:
        found: tuple[CodeFinding, ...] = ()
        for run in await asyncio.to_thread(scanner.runs, folder, home):
            code, output, errors = await self._run(scanner, run.command, home)
            if code != 0:
                told = (errors or output).strip().splitlines()[-1:] or [""]
                raise ScannerFailed(f"{scanner.name} ended with exit code {code}: {told[0][:_STDERR_LIMIT]}")
            if run.report:
                found += await asyncio.to_thread(_reported, scanner, run, folder, home)
        return found

    async def _run(self, scanner: Scanner, command: tuple[str, ...], home: Path) -> tuple[int, str, str]:
        path = os.pathsep.join((str(Path(command[0]).parent), os.defpath))
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=home,
                env={"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **QUIET},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as fault:
            raise ScannerFailed(f"{scanner.name} cannot be run: {fault.strerror}; is it installed?") from fault
        try:
            output, errors = await process.communicate()
        finally:
            # Its children hold the pipes, so without them it would not end.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
        return process.returncode or 0, output.decode(errors="replace"), errors.decode(errors="replace")


def _reported(scanner: Scanner, run: Run, folder: Path, home: Path) -> tuple[CodeFinding, ...]:
    path = home / run.report
    if not path.is_file():
        raise ScannerFailed(f"{scanner.name} wrote no report")
    if path.stat().st_size > MAX_REPORT_BYTES:
        raise ScannerFailed(f"{scanner.name} wrote more than {MAX_REPORT_BYTES >> 20} MiB")
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        raise ScannerFailed(f"{scanner.name} wrote a report that is not JSON") from None
    return read_findings(document, scanner.name, folder)
