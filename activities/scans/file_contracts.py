"""Scans of the files that a row's program left."""

from activities.artifacts.files import Snapshot
from temporal.contract import Contract, StepRef


class FilesScanRequest(Contract):
    """Files to be scanned for secrets.

    Args:
        code: Whether they are scanned for harmful code too.
    """

    step: StepRef
    files: Snapshot
    code: bool = False
