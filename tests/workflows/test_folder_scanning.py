"""Folders that are scanned by the calendar and when asked for: what is new is told once, nothing else is scanned."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError

from activities.audit import reading
from activities.scans.folder_activity import FolderScanRequest, FolderScanResult
from activities.scans.folder_contracts import FolderReport, ScanRecord, ScanState, Severity
from activities.scans.register import SqlScanRegister
from activities.scans.repository import RepositoryScanner
from activities.scans.tools import SCANNERS, program
from temporal.names import TaskQueue
from tests.installation import Installation
from workers import worker
from workers.schedules import register_scans, scan_schedule_id
from workers.settings import Settings
from workflows.scanning import FolderScanWorkflow

pytestmark = pytest.mark.skipif(
    not Path(program("bandit")).is_absolute(), reason="the scanners are not installed; make setup"
)
SHELL = "import subprocess\nsubprocess.call(input(), shell=True)\n"
FOLDERS = ("repository", "broken")


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, dev_client: Client) -> AsyncIterator[Installation]:
    """An installation that scans two folders, with the quickest of its scanners."""
    home = tmp_path_factory.mktemp("prism")
    folders = [home / name for name in FOLDERS]
    for folder in folders:
        folder.mkdir()
    (folders[1] / ".prism-suppressions.yaml").write_text("suppressions: [{rule: B602}]\n")
    settings = Settings(home=home / "state", scan_folders=":".join(map(str, folders)))
    installation = Installation.with_settings(settings, dev_client, lambda request: "An answer.")
    with pytest.MonkeyPatch.context() as patch:
        quick = {name: SCANNERS[name] for name in ("bandit", "gitleaks")}
        patch.setattr(worker, "RepositoryScanner", lambda installed: RepositoryScanner(quick))
        async with installation.worker():
            yield installation


async def scan(prism: Installation, folder: str, identity: str) -> FolderScanResult:
    return await prism.client.execute_workflow(
        FolderScanWorkflow.run,
        FolderScanRequest(folder=folder, scan=identity),
        id=f"scans/{identity}",
        task_queue=TaskQueue.WORKFLOWS,
    )


def alerts(prism: Installation) -> list[str]:
    return [one["title"] for one in prism.query("SELECT title FROM notifications WHERE run = 'scans' ORDER BY at")]


async def test_what_is_new_is_told_once_and_what_was_there_is_not(prism: Installation) -> None:
    folder = prism.settings.scanned_folders[0]
    file = Path(folder, "app.py")
    register = SqlScanRegister(prism.stores.engine)
    assert await scan(prism, folder, "one") == FolderScanResult(scan="one", state=ScanState.CLEAN)
    file.write_text(SHELL)
    second = await scan(prism, folder, "two")
    assert (second.state, second.new) == (ScanState.FINDINGS, second.found)
    file.write_text(f"# moved\n{SHELL}")
    third = await scan(prism, folder, "three")
    assert (third.state, third.new, third.found) == (ScanState.FINDINGS, 0, second.found)
    assert [title for title in alerts(prism) if folder in title] == [f"1 new finding in {folder}"]
    newest, *_ = await register.scans()
    assert (newest.scan, newest.counts[Severity.HIGH]) == ("three", 1)
    assert newest.report is not None
    report = FolderReport.model_validate_json(await prism.stores.artifacts.get(newest.report))
    assert ("B602", "app.py", 3) in {(one.rule, one.path, one.line) for one in report.findings}
    assert {state.scanner for state in newest.scanners} == {"bandit", "gitleaks"}


async def test_a_scan_is_in_the_audit_log_from_who_asked_for_it_to_what_came_of_it(prism: Installation) -> None:
    folder = prism.settings.scanned_folders[0]
    request = FolderScanRequest(folder=folder, scan="asked", by="ana")
    queue = TaskQueue.WORKFLOWS
    await prism.client.execute_workflow(FolderScanWorkflow.run, request, id="scans/asked", task_queue=queue)
    started, ended = [one for one in reading.entries(prism.stores.engine) if one["subject"] == "scan/asked"]
    assert (started["actor"], started["kind"], started["detail"]) == ("ana", "scan.started", {"folder": folder})
    assert (ended["actor"], ended["kind"], ended["detail"]["folder"]) == ("scanners", "scan.ended", folder)
    assert ended["detail"]["state"] in {"clean", "findings"}
    assert set(ended["detail"]["scanners"]) == {"bandit", "gitleaks"}


async def test_nothing_but_the_folders_of_the_settings_is_scanned(prism: Installation) -> None:
    with pytest.raises(WorkflowFailureError) as refused:
        await scan(prism, "/etc", "forbidden")
    assert "PRISM_SCAN_FOLDERS" in str(refused.value.cause.__cause__)
    assert await SqlScanRegister(prism.stores.engine).scan("forbidden") is None


async def test_suppressions_that_cannot_be_used_are_no_clean_result(prism: Installation) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await scan(prism, prism.settings.scanned_folders[1], "broken")
    assert "the suppressions in" in str(failed.value.cause.__cause__)
    found = await SqlScanRegister(prism.stores.engine).scan("broken")
    assert isinstance(found, ScanRecord)
    assert found.state is ScanState.INCOMPLETE
    assert "suppressions" in found.scanners[0].problem
    assert f"{prism.settings.scanned_folders[1]} was not scanned by all" in alerts(prism)


async def test_folders_are_scanned_by_the_calendar_until_they_are_not_named_any_more(prism: Installation) -> None:
    folder = prism.settings.scanned_folders[0]
    before = len(await SqlScanRegister(prism.stores.engine).scans(folder))
    await register_scans(prism.client, [folder], 24)
    schedule = prism.client.get_schedule_handle(scan_schedule_id(folder))
    assert (await schedule.describe()).schedule.spec.intervals[0].every.days == 1
    async with asyncio.timeout(60):
        while len(await SqlScanRegister(prism.stores.engine).scans(folder)) == before:
            await asyncio.sleep(0.1)
    await register_scans(prism.client, [], 24)
    names = [one.id async for one in await prism.client.list_schedules()]
    assert scan_schedule_id(folder) not in names
