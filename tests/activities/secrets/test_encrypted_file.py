"""The embedded store keeps nothing in clear, and says plainly when it cannot be read."""

import asyncio
import stat
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from pydantic import SecretStr

from activities.secrets.contracts import SecretsUnusable
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.master_key import MasterKey

PLANTED = "canary-5f1e0c"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "secrets.key"


@pytest.fixture
def store(tmp_path: Path, key_file: Path) -> EncryptedFile:
    return EncryptedFile(tmp_path / "secrets.json", MasterKey(key_file, keyring=False))


async def test_no_value_stands_in_clear_and_only_the_owner_reads_the_files(
    store: EncryptedFile, tmp_path: Path, key_file: Path
) -> None:
    await store.put("provider", {"value": SecretStr(PLANTED)})
    for path in (tmp_path / "secrets.json", key_file):
        assert PLANTED.encode() not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_one_secret_does_not_pass_for_another(store: EncryptedFile, tmp_path: Path) -> None:
    await store.put("low", {"value": SecretStr(PLANTED)})
    path = tmp_path / "secrets.json"
    path.write_text(path.read_text().replace('"low"', '"high"'))
    with pytest.raises(SecretsUnusable, match="was altered"):
        await store.get("high")


async def test_a_lost_key_is_told_and_never_replaced(store: EncryptedFile, key_file: Path) -> None:
    await store.put("provider", {"value": SecretStr(PLANTED)})
    key_file.unlink()
    with pytest.raises(SecretsUnusable, match="is gone"):
        await store.get("provider")
    with pytest.raises(SecretsUnusable, match="is gone"):
        await store.put("provider", {"value": SecretStr("another")})
    assert not key_file.exists()


async def test_a_key_that_others_may_read_is_refused(store: EncryptedFile, key_file: Path) -> None:
    await store.put("provider", {"value": SecretStr(PLANTED)})
    key_file.chmod(0o644)
    with pytest.raises(SecretsUnusable, match="chmod 600"):
        await store.get("provider")


async def test_a_damaged_file_is_told_without_its_contents(store: EncryptedFile, tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{half")
    with pytest.raises(SecretsUnusable, match="is damaged"):
        await store.names()


async def test_processes_that_write_at_once_lose_no_version(
    store: EncryptedFile, tmp_path: Path, key_file: Path
) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; from pydantic import SecretStr\n"
        "from activities.secrets.encrypted_file import EncryptedFile\n"
        "from activities.secrets.master_key import MasterKey\n"
        "store = EncryptedFile(Path(sys.argv[1]), MasterKey(Path(sys.argv[2]), keyring=False))\n"
        "async def main():\n"
        "    for turn in range(5): await store.put('shared', {'value': SecretStr(f'{sys.argv[3]}-{turn}')})\n"
        "asyncio.run(main())\n"
    )
    arguments = (sys.executable, "-c", code, str(tmp_path / "secrets.json"), str(key_file))
    writers = [await asyncio.create_subprocess_exec(*arguments, str(number)) for number in range(3)]
    assert [await writer.wait() for writer in writers] == [0, 0, 0]
    found = {
        (await store.get("shared", one.version)).fields["value"].get_secret_value()
        for one in await store.versions("shared")
    }
    assert found == {f"{writer}-{turn}" for writer in range(3) for turn in range(5)}


class _Ring(KeyringBackend):
    priority = 5  # type: ignore[assignment]  # the library's own way to say it

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


async def test_the_systems_keyring_holds_the_key_where_there_is_one(tmp_path: Path, key_file: Path) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(_Ring())
    try:
        store = EncryptedFile(tmp_path / "ring.json", MasterKey(key_file))
        await store.put("provider", {"value": SecretStr(PLANTED)})
        assert (await store.get("provider")).fields["value"].get_secret_value() == PLANTED
    finally:
        keyring.set_keyring(before)
    assert not key_file.exists()
