"""What the program of a row finds in its environment, and what becomes of it when it prints that."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.artifacts.contracts import Texts
from activities.artifacts.folder import FolderArtifactStore
from activities.audit.contracts import AuditFilter
from activities.policy.embedded import EmbeddedPolicy
from activities.sandbox.activity import SandboxActivities
from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import ExitReason, Limits, SandboxRequest, SandboxResult
from activities.secrets.contracts import SecretsForbidden, SecretStore, SecretsUnusable
from activities.secrets.rows import RowSecrets
from catalogs.row import Language
from temporal.contract import StepRef
from temporal.errors import PrismError
from temporal.redaction import MASK
from workers.audit import open_audit
from workers.compose import open_stores
from workers.policy import POLICIES
from workers.secrets import open_secrets
from workers.settings import Settings

CANARY = "tok-canary-8c1d55"
API, USER = "secret://catalogs/api", "secret://catalogs/api#user"
STEP = StepRef(run="r", row="a", step="code")


class Rows:
    """Rows of an installation that run programs."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.engine = open_stores(self.settings).engine
        self.audit = open_audit(self.settings, self.engine)
        self.store: SecretStore = open_secrets(self.settings)
        self.texts = Texts(FolderArtifactStore(home / "texts"), inline_limit=4096)
        secrets = RowSecrets(self.store, self.audit)
        self.activities = SandboxActivities(BubblewrapSandbox(), self.texts, EmbeddedPolicy(POLICIES), secrets)

    async def run(
        self, code: str, *, extract: bool = False, limits: Limits | None = None, **secrets: str
    ) -> SandboxResult:
        request = SandboxRequest(
            step=STEP,
            language=Language.SHELL,
            code=await self.texts.pack(code),
            extract=extract,
            secrets=secrets,
            limits=limits or Limits(),
        )
        result: SandboxResult = await ActivityEnvironment().run(self.activities.execute, request)
        return result


@pytest.fixture
async def rows(tmp_path: Path) -> Rows:
    rows = Rows(tmp_path)
    await rows.store.put("catalogs/api", {"value": SecretStr(CANARY), "user": SecretStr("somebody")})
    await rows.store.put("openai", {"value": SecretStr("sk-openai")})
    return rows


async def test_a_program_finds_its_secrets_and_what_it_prints_of_them_is_masked(rows: Rows) -> None:
    code = 'echo "${#TOKEN} $TOKEN"; echo "$USER_NAME" >&2; printf %s "$TOKEN" | base64; test -z "$OTHER"'
    result = await rows.run(code, TOKEN=API, USER_NAME=USER)
    assert result.reason is ExitReason.OK
    assert (result.stdout.inline, result.stderr.inline) == (f"{len(CANARY)} {MASK}\n{MASK}\n", f"{MASK}\n")


async def test_no_command_line_inside_or_outside_shows_a_value(rows: Rows) -> None:
    # As root of the host's test machine would see it: bubblewrap's own command line is in the same /proc.
    # The shell itself compares: a grep for the value would have it on its own command line.
    read = 'lines=$(cat /proc/[0-9]*/cmdline | tr "\\0" " ")'
    compare = 'case "$lines" in *"$TOKEN"*) echo seen;; *) echo hidden;; esac'
    result = await rows.run(f"{read}; {compare}", TOKEN=API)
    assert result.stdout.inline == "hidden\n"


async def test_a_value_that_the_limit_of_output_cuts_leaves_no_beginning(rows: Rows) -> None:
    limits = Limits(output_bytes=len("said ") + 9)
    result = await rows.run('echo "said $TOKEN"', limits=limits, TOKEN=API)
    assert (result.stdout.inline, result.truncated) == (f"said {MASK}", True)


async def test_each_reading_is_audited_once_a_step_without_the_value(rows: Rows) -> None:
    for _ in range(2):
        await rows.run(":", TOKEN=API, USER_NAME=USER)
    entries = await rows.audit.page(AuditFilter())
    assert [(one.kind, one.actor, one.subject) for one in entries] == [
        ("secret.read", "run/r/row/a", "secret/catalogs/api")
    ]


@pytest.mark.parametrize(
    ("reference", "fault", "told"),
    [
        ("secret://openai", SecretsForbidden, "below catalogs/ only"),
        ("secret://catalogs/gone", SecretsUnusable, "prism secrets set catalogs/gone"),
        ("secret://catalogs/api#gone", SecretsUnusable, "no such field"),
        (CANARY, SecretsUnusable, "variable TOKEN is not secret://name"),
    ],
)
async def test_what_cannot_be_read_names_row_and_variable(
    rows: Rows, reference: str, fault: type[PrismError], told: str
) -> None:
    with pytest.raises(fault, match=told) as raised:
        await rows.run(":", TOKEN=reference)
    assert "row 'a', variable TOKEN" in str(raised.value)
    assert CANARY not in str(raised.value)


async def test_what_a_model_wrote_gets_no_secret(rows: Rows) -> None:
    with pytest.raises(SecretsForbidden, match="only the program of a catalog"):
        await rows.run("```sh\necho $TOKEN\n```", extract=True, TOKEN=API)
