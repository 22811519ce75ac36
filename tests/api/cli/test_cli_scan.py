"""``prism scan``: what it shows, writes, and how it ends."""

import json
from pathlib import Path

from tests.activities.scans.planted import plant
from tests.api.cli.conftest import Prism


def test_findings_end_with_1_and_are_written_as_sarif(prism_command: Prism, tmp_path: Path) -> None:
    folder = plant(tmp_path / "repository")
    done = prism_command("scan", str(folder), "--scanner", "gitleaks", "--sarif", "out.sarif")
    assert done.returncode == 1
    assert "deploy.env:1" in done.stdout
    assert json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "aws-access-token"
    assert prism_command("scan", str(folder), "--scanner", "gitleaks", "--fail-on", "critical").returncode == 0


def test_a_suppression_of_the_folder_counts(prism_command: Prism, tmp_path: Path) -> None:
    folder = plant(tmp_path / "repository")
    (folder / ".prism-suppressions.yaml").write_text(
        "suppressions: [{rule: aws-access-token, reason: revoked in May, expires: 2999-01-01}]\n"
    )
    done = prism_command("scan", str(folder), "--scanner", "gitleaks")
    assert done.returncode == 0
    assert "suppressed: revoked in May (until 2999-01-01)" in " ".join(done.stdout.split())
