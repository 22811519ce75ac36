"""Values planted in a whole installation are searched for in everything it leaves behind.

Server, gateway and worker are processes; secrets are in a real OpenBao server, one key in the environment. What
programs, a vendor and faults repeat of them must not stand in a history, a log, a database or an artifact. What is
printed beside them must, or the search would find nothing anywhere.
"""

import base64
import gzip
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from activities.audit.contracts import AuditFilter
from temporal.contract import row_workflow_id, run_workflow_id
from tests.activities.secrets.bao import running_bao
from tests.chaos.conftest import System
from tests.conftest import free_port
from tests.installation import Installation
from tests.provider.process import VendorProcess, vendor_process
from workers.audit import open_audit
from workers.secrets import open_secrets
from workers.settings import Settings

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(170), pytest.mark.xdist_group("chaos")]

MODEL_KEY = "sk-canary-model-5b1f"
ROW_SECRET = 'tok-canary-a83c "1" é'  # noqa: S105 -- planted to be searched for
SPARE_KEY = "sk-canary-environment-77d0"
# The part of each that JSON and URLs write as it is, and what else programs made of one.
PLANTED = (
    *(MODEL_KEY, SPARE_KEY, "tok-canary-a83c"),
    *(base64.b64encode(ROW_SECRET.encode()).decode().rstrip("="), ROW_SECRET.encode().hex()),
)
MARKER = "marker-2e9d"
PRINTS = (
    "import base64, json, os, sys, urllib.parse\n"
    "token = os.environ['TOKEN']\n"
    f"print('{MARKER}', len(token), token, json.dumps(token), urllib.parse.quote(token))\n"
    "print(base64.b64encode(token.encode()).decode(), token.encode().hex(), repr([token]))\n"
    f"print('{MARKER}', token * 20000)\n"
    f"print('{MARKER}', token, file=sys.stderr)\n"
)


@dataclass
class Left:
    """What an installation left behind."""

    home: Path
    histories: bytes
    authorizations: list[str]

    def holding(self, text: str) -> set[str]:
        """Return the places that a text stands in."""
        return {name for name, data in self._places().items() if text.encode() in data}

    def _places(self) -> dict[str, bytes]:
        files = {str(path.relative_to(self.home)): path.read_bytes() for path in self.home.rglob("*") if path.is_file()}
        packed = {name: data for name, data in files.items() if data[:2] == b"\x1f\x8b"}
        unpacked = {f"{name} (unpacked)": gzip.decompress(data) for name, data in packed.items()}
        return {**files, **unpacked, "histories": self.histories}


@pytest.fixture(scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Left]:
    home = tmp_path_factory.mktemp("planted")
    with running_bao(tmp_path_factory.mktemp("bao")) as bao:
        async with vendor_process() as vendor:
            settings = Settings(
                home=home,
                temporal_port=free_port(),
                temporal_ui_port=free_port(),
                model_url=vendor.url,
                model_name="stub",
                model_key=SecretStr("secret://vendor#key"),
                vault_url=bao.url,
                vault_token=SecretStr(bao.token),
                log_level="DEBUG",
            )
            store = open_secrets(settings)
            await store.put("vendor", {"key": SecretStr(MODEL_KEY)})
            await store.put("catalogs/api", {"value": SecretStr(ROW_SECRET)})
            yield await worked(settings, vendor)


async def worked(settings: Settings, vendor: VendorProcess) -> Left:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XAI_API_KEY", SPARE_KEY)
        system = System(settings, vendor)
        client = await system.start()
    try:
        assert "XAI_API_KEY" not in os.environ
        prism = Installation(settings.home, client, lambda request: "")
        # The first row is refused, with the key in what the vendor says; the second hears it as an answer.
        await vendor.script(faults=["401"], answers={"repeat": f"{MARKER} {MODEL_KEY}"})
        first = await finished(client, prism, f"id,objective\nrefused,{MARKER}\n")
        header = "id,objective,language,code,secrets\n"
        second = await finished(
            client,
            prism,
            f"{header}repeats,repeat,,,\n"
            f'prints,{MARKER},python,"{PRINTS}",TOKEN=secret://catalogs/api\n'
            f'fails,{MARKER},python,"{PRINTS}sys.exit(token)",TOKEN=secret://catalogs/api\n'
            f"absent,{MARKER},shell,:,TOKEN=secret://catalogs/api#{MARKER}\n",
        )
        calls = await vendor.calls()
    finally:
        await system.stop()
    return Left(settings.home, first + second, calls["authorizations"])


async def finished(client: Client, prism: Installation, csv: str) -> bytes:
    """Run a catalog to its end and return the raw events of all its workflows."""
    run = await prism.start(csv)
    await run.result()
    rows = [line.partition(",")[0] for line in csv.splitlines() if line.startswith(("refused", "repeats", "prints"))]
    rows += [name for name in ("fails", "absent") if f"\n{name}," in csv]
    raw = b""
    for workflow_id in (run_workflow_id(run.run), *(row_workflow_id(run.run, row) for row in rows)):
        history = await client.get_workflow_handle(workflow_id).fetch_history()
        raw += b"".join(event.SerializeToString() for event in history.events)
    return raw


async def test_the_values_were_used(left: Left) -> None:
    assert left.authorizations == [f"Bearer {MODEL_KEY}"]
    prism = Settings(home=left.home)
    audit = open_audit(prism, Installation(left.home, None, lambda request: "").stores.engine)  # type: ignore[arg-type]
    subjects = [entry.subject for entry in await audit.page(AuditFilter(kinds=("secret",)))]
    assert subjects == ["secret/catalogs/api"] * 2


@pytest.mark.parametrize("value", PLANTED)
def test_no_planted_value_is_left_anywhere(left: Left, value: str) -> None:
    assert left.holding(value) == set()


def test_what_was_printed_beside_them_is_found_in_every_kind_of_place(left: Left) -> None:
    found = {name.removesuffix("-wal") for name in left.holding(MARKER)}
    assert {"histories", "records.db", "temporal.db", "logs/worker.log"} <= found
    assert any(name.startswith("artifacts/") for name in found)
