"""Policies that change while the system runs, and runs that keep to the version they began with."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.artifacts.folder import FolderArtifactStore
from activities.policy import live
from activities.policy.contracts import PolicyChanged, PolicyUnavailable
from activities.policy.embedded import EmbeddedPolicy
from activities.policy.server import KeptPolicies, OpaServerPolicy, PolicyServer, open_opa_server
from activities.policy.versions import PolicyVersions
from catalogs.row import CatalogRow
from workers.policy import POLICIES

pytestmark = [pytest.mark.timeout(500), pytest.mark.xdist_group("opa")]

DEAR = CatalogRow(id="a", line=2, objective="Summarise", budget_usd=50)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Policies of an installation's own, looked at whenever they are asked."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.0)
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def limit(folder: Path, usd: int) -> None:
    """Change the most that a row may cost."""
    data = folder / "admission" / "data.json"
    seen = data.stat()
    data.write_text(json.dumps(json.loads(data.read_text()) | {"max_budget_usd": usd}))
    os.utime(data, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))


async def test_a_change_is_in_force_without_a_restart(folder: Path) -> None:
    policy = EmbeddedPolicy(folder)
    before = policy.digest
    assert (await policy.admit(DEAR, "")).allow
    limit(folder, 10)
    decision = await policy.admit(DEAR, "")
    assert (decision.allow, decision.policy) == (False, policy.digest)
    assert policy.digest != before


async def test_a_change_that_does_not_compile_leaves_what_was_in_force_and_says_so(folder: Path) -> None:
    policy = EmbeddedPolicy(folder)
    before = policy.digest
    rego = folder / "admission" / "admission.rego"
    sound = rego.read_text()
    rego.write_text(sound + "\nallow if {")
    assert (await policy.admit(DEAR, "")).policy == before
    assert "do not compile" in policy.live.fault
    rego.write_text(sound)
    assert (await policy.admit(DEAR, "")).policy == before
    assert policy.live.fault == ""


async def test_a_package_that_is_taken_away_is_no_change_in_force(folder: Path) -> None:
    policy = EmbeddedPolicy(folder)
    before = policy.digest
    shutil.rmtree(folder / "release")
    assert policy.digest == before
    assert "release.decision" in policy.live.fault
    with pytest.raises(PolicyUnavailable, match=r"release\.decision"):
        EmbeddedPolicy(folder)


async def test_a_pinned_run_keeps_to_its_version_in_any_process(folder: Path, tmp_path: Path) -> None:
    artifacts = FolderArtifactStore(tmp_path / "artifacts")
    pinned = await EmbeddedPolicy(folder, PolicyVersions(artifacts)).keep()
    limit(folder, 10)
    elsewhere = EmbeddedPolicy(folder, PolicyVersions(artifacts))
    decision = await elsewhere.admit(DEAR, "", pinned)
    assert (decision.allow, decision.policy) == (True, pinned)
    assert not (await elsewhere.admit(DEAR, "")).allow


async def test_a_version_that_nobody_kept_is_final(folder: Path, tmp_path: Path) -> None:
    policy = EmbeddedPolicy(folder, PolicyVersions(FolderArtifactStore(tmp_path / "artifacts")))
    with pytest.raises(PolicyChanged, match="is not kept here") as refused:
        await policy.admit(DEAR, "", "sha256:" + "0" * 64)
    assert not refused.value.retryable


async def test_a_version_that_was_tampered_with_decides_nothing(folder: Path, tmp_path: Path) -> None:
    artifacts = FolderArtifactStore(tmp_path / "artifacts")
    pinned = await EmbeddedPolicy(folder, PolicyVersions(artifacts)).keep()
    for kept in (tmp_path / "artifacts").rglob("*"):
        if kept.is_file() and b"package admission" in kept.read_bytes():
            kept.chmod(0o600)
            kept.write_bytes(kept.read_bytes().replace(b"default allow := false", b"default allow := true "))
    limit(folder, 10)
    with pytest.raises(PolicyChanged):
        await EmbeddedPolicy(folder, PolicyVersions(artifacts)).admit(DEAR, "", pinned)


@pytest.fixture
async def server_that_moves_on(opa_url: str, folder: Path, tmp_path: Path) -> AsyncIterator[OpaServerPolicy]:
    """A server whose bundle is made of another folder than the one that is here."""
    kept = KeptPolicies(folder, PolicyVersions(FolderArtifactStore(tmp_path / "artifacts")))
    async with open_opa_server(PolicyServer(opa_url, timeout=15), kept) as policy:
        yield policy


async def test_where_the_server_moved_on_the_version_that_was_kept_decides(
    server_that_moves_on: OpaServerPolicy, folder: Path, tmp_path: Path
) -> None:
    pinned = await server_that_moves_on.keep()
    by_server = await server_that_moves_on.admit(DEAR, "", pinned)
    assert (by_server.policy, bool(by_server.decision_id)) == (pinned, True)
    limit(folder, 10)
    older = await EmbeddedPolicy(folder, PolicyVersions(FolderArtifactStore(tmp_path / "artifacts"))).keep()
    for _ in range(6):
        decision = await server_that_moves_on.admit(DEAR, "", older)
        assert (decision.allow, decision.policy, decision.decision_id) == (False, older, "")
    assert (await server_that_moves_on.admit(DEAR, "")).allow
    with pytest.raises(PolicyChanged, match="is not kept here"):
        await server_that_moves_on.admit(DEAR, "", "sha256:" + "0" * 64)


async def test_nothing_is_pinned_to_a_version_whose_files_are_not_here(
    server_that_moves_on: OpaServerPolicy, folder: Path
) -> None:
    sound = (folder / "admission" / "data.json").read_text()
    limit(folder, 10)
    with pytest.raises(PolicyChanged, match="Put what the bundle was made of into PRISM_POLICIES"):
        await server_that_moves_on.keep()
    (folder / "admission" / "data.json").write_text(sound)
    pinned = await server_that_moves_on.keep()
    limit(folder, 10)
    assert await server_that_moves_on.keep() == pinned
