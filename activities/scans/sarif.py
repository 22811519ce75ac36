"""SARIF 2.1.0: what scanners write, read into findings and merged into one document.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from activities.scans.contracts import ScannerFailed
from activities.scans.folder_contracts import CodeFinding, FolderReport, Severity

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {"none": Severity.NOTE, "note": Severity.LOW, "warning": Severity.MEDIUM, "error": Severity.HIGH}
_LEVEL_OF: Final = {
    Severity.NOTE: "note",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
# The Common Vulnerability Scoring System's own bands; "security-severity" holds such a number.
_SCORES: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
# Gitleaks tells no severity; a secret that lies open has to be replaced.
ALWAYS_HIGH: Final = frozenset({"gitleaks"})
_MESSAGE_LIMIT: Final = 1_000


def read_findings(document: Any, scanner: str, folder: Path) -> tuple[CodeFinding, ...]:  # noqa: ANN401 -- any JSON value
    """Return the findings of a scanner's SARIF document.

    Args:
        document: The parsed document.
        scanner: Whose it is.
        folder: What was scanned; paths are told within it.

    Raises:
        ScannerFailed: It is not SARIF.
    """
    try:
        return tuple(
            _finding(result, run, scanner, folder) for run in document["runs"] for result in run.get("results") or ()
        )
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as fault:
        raise ScannerFailed(f"{scanner} wrote something else than SARIF 2.1.0", scanner=scanner) from fault


def merged(report: FolderReport) -> dict[str, Any]:
    """Return one SARIF document of a report: a run for each scanner that looked, each finding once."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(report, state.scanner, state.version)},
                "invocations": [{"executionSuccessful": not state.problem, **_problem(state.problem)}],
                "results": [_result(one) for one in report.findings if one.scanner == state.scanner],
            }
            for state in report.scanners
        ],
    }


def fingerprint_of(scanner: str, rule: str, path: str, text: str) -> str:
    """Return what recognises a finding when lines above it come and go."""
    return hashlib.sha256(f"{scanner}\x00{rule}\x00{path}\x00{text.strip()}".encode(errors="replace")).hexdigest()


def _finding(result: dict[str, Any], run: dict[str, Any], scanner: str, folder: Path) -> CodeFinding:
    rules = {rule["id"]: rule for rule in run["tool"]["driver"].get("rules") or ()}
    identity = str(result["ruleId"])
    # Semgrep puts the folder of the rules before the name of one.
    rule = identity.rpartition(".")[2]
    places = result.get("locations") or [{}]
    physical = places[0].get("physicalLocation") or {}
    region = physical.get("region") or {}
    path = _within((physical.get("artifactLocation") or {}).get("uri", ""), folder)
    line = int(region.get("startLine") or 0)
    return CodeFinding(
        scanner=scanner,
        rule=rule,
        severity=Severity.HIGH if scanner in ALWAYS_HIGH else _severity(result, rules.get(identity, {})),
        message=_message(result, rules.get(identity, {}), scanner)[:_MESSAGE_LIMIT],
        path=path,
        line=line,
        fingerprint=fingerprint_of(scanner, rule, path, _line_of(folder / path, line)),
    )


def _message(result: dict[str, Any], rule: dict[str, Any], scanner: str) -> str:
    lines = str(result["message"]["text"]).strip().splitlines()
    if not scanner.startswith("trivy"):
        return lines[0]
    # Trivy writes a table where others write a sentence.
    told = dict(line.split(": ", 1) for line in lines if ": " in line)
    if "Package" not in told:
        return told.get("Message") or lines[0]
    fixed = f"; fixed in {told['Fixed Version']}" if "Fixed Version" in told else ""
    return f"{told['Package']} {told.get('Installed Version', '')}: {rule['shortDescription']['text']}{fixed}"


def _severity(result: dict[str, Any], rule: dict[str, Any]) -> Severity:
    told = (result.get("properties") or {}).get("issue_severity")
    if told and str(told).lower() in set(Severity):
        return Severity(str(told).lower())
    score = (rule.get("properties") or {}).get("security-severity")
    if score is not None:
        number = float(score)
        return next((severity for least, severity in _SCORES if number >= least), Severity.NOTE)
    level = result.get("level") or (rule.get("defaultConfiguration") or {}).get("level") or "warning"
    return _LEVELS[level]


def _within(uri: str, folder: Path) -> str:
    """Return a path within the folder; each scanner begins its own elsewhere: at the root, at the folder, above it."""
    parts = Path(unquote(urlsplit(uri).path if uri.startswith("file:") else uri)).parts
    for begin in range(len(parts)):
        path = Path(*parts[begin:])
        if not path.is_absolute() and (folder / path).exists():
            return str(path)
    return "/".join(parts)


def _line_of(path: Path, line: int) -> str:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _driver(report: FolderReport, scanner: str, version: str) -> dict[str, Any]:
    rules = sorted({one.rule for one in report.findings if one.scanner == scanner})
    return {"name": scanner, **({"version": version} if version else {}), "rules": [{"id": rule} for rule in rules]}


def _problem(problem: str) -> dict[str, Any]:
    if not problem:
        return {}
    return {"toolExecutionNotifications": [{"level": "error", "message": {"text": problem}}]}


def _result(one: CodeFinding) -> dict[str, Any]:
    region = {"region": {"startLine": one.line}} if one.line else {}
    location = {"physicalLocation": {"artifactLocation": {"uri": one.path}, **region}}
    suppressed = [{"kind": "external", "justification": one.suppressed}] if one.suppressed else []
    return {
        "ruleId": one.rule,
        "level": _LEVEL_OF[one.severity],
        "message": {"text": one.message},
        "locations": [location] if one.path else [],
        "partialFingerprints": {"prism/v1": one.fingerprint},
        "properties": {"severity": one.severity.value},
        "suppressions": suppressed,
    }
