"""Which policies are in force, as the audit log tells it."""

import json
import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from activities.audit import reading
from activities.policy import live
from activities.policy.embedded import EmbeddedPolicy
from activities.records.database import migrate, open_database
from workers.policy import POLICIES
from workers.policy_journal import open_journal
from workers.settings import Settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.0)
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    migrate(engine)
    return engine


def told(engine: Engine) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one["kind"], one["subject"], one["detail"]) for one in reading.entries(engine)]


def change(path: Path, text: str) -> None:
    seen = path.stat()
    path.write_text(text)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))


async def test_a_change_is_told_once_whoever_looks_and_however_often(folder: Path, engine: Engine) -> None:
    settings = Settings(policies=folder)
    async with AsyncExitStack() as stack:
        one, other = [await open_journal(settings, engine, stack) for _ in range(2)]
        for journal in (one, other, one):
            await journal.look()
        first = told(engine)
        assert [(kind, subject) for kind, subject, _ in first] == [
            ("policy.loaded", "policy/admission"),
            ("policy.loaded", "policy/authz"),
        ]
        before = EmbeddedPolicy(folder).digest
        assert first[0][2] == {"policy": before, "source": str(folder)}
        data = folder / "admission" / "data.json"
        sound = data.read_text()
        change(data, json.dumps(json.loads(sound) | {"max_budget_usd": 10}))
        for journal in (one, other):
            await journal.look()
        ((kind, subject, detail),) = told(engine)[2:]
        assert (kind, subject) == ("policy.loaded", "policy/admission")
        assert detail == {"policy": EmbeddedPolicy(folder).digest, "source": str(folder), "before": before}
        change(data, sound)
        await one.look()
        # A process that starts later finds nothing new.
        await (await open_journal(settings, engine, stack)).look()
        assert [detail["policy"] for _, _, detail in told(engine)[3:]] == [before]


async def test_policies_that_are_refused_are_told_with_what_stays_in_force(folder: Path, engine: Engine) -> None:
    async with AsyncExitStack() as stack:
        journal = await open_journal(Settings(policies=folder), engine, stack)
        await journal.look()
        rego = folder / "authz" / "authz.rego"
        sound = rego.read_text()
        change(rego, sound + "\nallow if {")
        await journal.look()
        await journal.look()
        change(rego, sound)
        await journal.look()
    (_, before), refused, again = [
        (kind, detail) for kind, subject, detail in told(engine) if subject.endswith("authz")
    ]
    assert refused[0] == "policy.refused"
    assert refused[1]["policy"] == before["policy"]
    assert "do not compile" in refused[1]["fault"]
    assert again == ("policy.loaded", {"policy": before["policy"], "source": str(folder)})


@pytest.mark.timeout(500)
@pytest.mark.xdist_group("opa")
async def test_the_bundle_of_a_server_is_told_and_one_that_is_away_is_no_change(opa_url: str, engine: Engine) -> None:
    async with AsyncExitStack() as stack:
        for url in (opa_url, "http://127.0.0.1:1"):
            await (await open_journal(Settings(opa_url=url, opa_timeout_seconds=15), engine, stack)).look()
    ((kind, _, detail),) = [one for one in told(engine) if one[1] == "policy/admission"]
    assert (kind, detail) == ("policy.loaded", {"policy": EmbeddedPolicy(POLICIES).digest, "source": opa_url})
