"""Scanning many texts with one run of ``gitleaks dir``: exact rule, line and column of each finding."""

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from activities.scans.contracts import Finding, ScannerFailed
from activities.scans.gitleaks_process import LEAKS_EXIT_CODE, Gitleaks

_HEADER: Final = "text\n"
"""First line of each file: gitleaks skips files that begin like a binary format, such as ``%PDF-``."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- only a parent for a private folder


async def scan_batch(gitleaks: Gitleaks, texts: Sequence[str], seconds: float) -> tuple[tuple[Finding, ...], ...]:
    """Scan texts in one run.

    The texts lie in a private folder in memory while gitleaks runs. Its report, which holds the secrets,
    only passes through a pipe.

    Args:
        gitleaks: The binary.
        texts: What to scan.
        seconds: Longest the run may take.

    Returns:
        The findings of each text, in order.

    Raises:
        ScannerFailed: gitleaks gave no trustworthy answer.
    """
    folder = await asyncio.to_thread(_write, texts)
    try:
        code, output, errors = await gitleaks.run(
            "dir", str(folder), "--report-format=json", "--report-path=-", "--redact=0", seconds=seconds
        )
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))
    if code not in {0, LEAKS_EXIT_CODE} or errors.strip():
        raise ScannerFailed(f"gitleaks failed with exit code {code}", exit_code=code)
    try:
        found = _by_text(json.loads(output), len(texts))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ScannerFailed("gitleaks wrote a report that cannot be read", exit_code=code) from None
    if any(found) != (code == LEAKS_EXIT_CODE):
        raise ScannerFailed(f"gitleaks' report contradicts its exit code {code}", exit_code=code)
    return found


def _write(texts: Sequence[str]) -> Path:
    parent = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    try:
        folder = Path(tempfile.mkdtemp(prefix="prism-scan-", dir=parent))
        for number, text in enumerate(texts):
            path = folder / _name(number)
            path.write_bytes((_HEADER + text).encode(errors="replace"))
    except OSError as fault:
        raise ScannerFailed(f"the texts could not be laid out for gitleaks: {fault}") from fault
    return folder


def _name(number: int) -> str:
    """Return a file name that no path allowlist of gitleaks' default configuration matches."""
    return f"t{number:06d}"


def _by_text(report: list[dict[str, Any]], count: int) -> tuple[tuple[Finding, ...], ...]:
    found: dict[str, dict[tuple[str, str, int], Finding]] = {_name(number): {} for number in range(count)}
    for entry in report:
        finding = _finding(entry)
        key = (finding.rule, finding.fingerprint, finding.line)
        found[Path(entry["File"]).name].setdefault(key, finding)
    return tuple(
        tuple(sorted(findings.values(), key=lambda item: (item.line, item.column, item.rule)))
        for findings in found.values()
    )


def _finding(entry: dict[str, Any]) -> Finding:
    # gitleaks counts the newline before a line as its first column, on all lines but the first.
    return Finding(
        rule=entry["RuleID"],
        description=entry["Description"],
        line=int(entry["StartLine"]) - _HEADER.count("\n"),
        column=max(int(entry["StartColumn"]) - 1, 1),
        fingerprint=fingerprint_of(entry["RuleID"], entry["Secret"]),
    )


def fingerprint_of(rule: str, secret: str) -> str:
    """Return what recognises a secret again without carrying it: SHA-256 over rule, NUL and secret."""
    return hashlib.sha256(f"{rule}\0{secret}".encode(errors="replace")).hexdigest()
