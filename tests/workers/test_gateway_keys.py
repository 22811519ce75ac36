"""Keys of model providers that are secrets: read at the gateway's start, and again when they were replaced."""

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr

from activities.llm.groups import ModelGroups
from activities.llm.routing import Router
from workers import gateway
from workers.secrets import open_secrets
from workers.settings import Settings

OLD, NEW = SecretStr("sk-canary-old"), SecretStr("sk-canary-new")


class Keys:
    """Stands for the router: takes groups, and lets tests wait for a key."""

    def __init__(self) -> None:
        self.key: SecretStr | None = None
        self.times = 0

    async def use(self, groups: ModelGroups) -> None:
        self.key, self.times = groups.find("custom").deployments[0].api_key, self.times + 1

    async def uses(self, key: SecretStr) -> None:
        async with asyncio.timeout(60):
            while self.key != key:
                await asyncio.sleep(0.01)


async def test_a_replaced_key_is_used_and_one_that_is_gone_leaves_the_known_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gateway, "_RENEWED_SECONDS", 0.01)
    settings = Settings(home=tmp_path, model_url="http://127.0.0.1:9", model_key=SecretStr("secret://vendor"))
    store, router = open_secrets(settings), Keys()
    await store.put("vendor", {"value": OLD})
    renewal = asyncio.create_task(gateway._renew(cast("Router", router), settings, store))
    await router.uses(OLD)
    await store.put("vendor", {"value": NEW})
    await router.uses(NEW)
    with caplog.at_level(logging.WARNING):
        await store.delete("vendor")
        async with asyncio.timeout(60):
            while "could not be read again" not in caplog.text:
                await asyncio.sleep(0.01)
    assert (router.key, "canary" in caplog.text) == (NEW, False)
    renewal.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await renewal


async def test_a_gateway_without_its_secret_ends_with_one_clear_line(tmp_path: Path) -> None:
    given = {"PRISM_MODEL_URL": "http://127.0.0.1:9", "PRISM_MODEL_KEY": "secret://gone"}
    environment = {**os.environ, "PRISM_HOME": str(tmp_path), **given}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers.gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 90)
    told = "PRISM_MODEL_KEY refers to the secret 'gone', which is not there: prism secrets set gone"
    assert (process.returncode, said.decode().splitlines()[-1]) == (1, told)
    assert b"Traceback" not in said
