"""FolderScanWorkflow: a scan of a folder, asked for by a person or started by a schedule."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.scans.folder_activity import FolderScanActivities, FolderScanRequest, FolderScanResult
    from temporal.names import WorkflowName
    from workflows.timeouts import SCAN_FOLDER


@workflow.defn(name=WorkflowName.FOLDER_SCAN)
class FolderScanWorkflow:
    """Scans a folder once."""

    @workflow.run
    async def run(self, request: FolderScanRequest) -> FolderScanResult:
        """Scan, compare with the scan before, tell what is new."""
        named = request if request.scan else request.model_copy(update={"scan": workflow.info().run_id})
        return await workflow.execute_activity_method(
            FolderScanActivities.scan_folder, named, summary=f"scan {request.folder}", **SCAN_FOLDER
        )
