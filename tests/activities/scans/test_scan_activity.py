"""The scan activity reads its text, also by reference, and scans it."""

from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.artifacts.contracts import Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.scans.activity import ScanActivities
from activities.scans.contracts import ScanReport, ScanRequest
from temporal.contract import StepRef


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def scan(self, text: str) -> ScanReport:
        self.seen.append(text)
        return ScanReport(scanner="recorder", version="1")


async def test_a_large_text_is_fetched_and_scanned(tmp_path: Path) -> None:
    texts = Texts(FolderArtifactStore(tmp_path), inline_limit=10)
    recorder = Recorder()
    request = ScanRequest(step=StepRef(run="r", row="1", step="scan"), text=await texts.pack("x" * 1_000))
    report = await ActivityEnvironment().run(ScanActivities(recorder, texts).scan, request)
    assert request.text.inline is None
    assert recorder.seen == ["x" * 1_000]
    assert report.scanner == "recorder"
