"""Settings that refer to secrets, and where those are kept."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.secrets.contracts import SecretsUnusable
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.vault import Vault
from workers.secrets import open_secrets, resolved
from workers.settings import Settings

CANARY = "sk-canary-7f3a"


async def test_a_reference_becomes_the_newest_value_and_anything_else_stays(tmp_path: Path) -> None:
    store = open_secrets(Settings(home=tmp_path))
    await store.put("openai", {"value": SecretStr("old"), "spare": SecretStr("other")})
    await store.put("openai", {"value": SecretStr(CANARY)})
    found = await resolved(SecretStr("secret://openai"), "OPENAI_API_KEY", store)
    assert found
    assert found.get_secret_value() == CANARY
    assert await resolved(None, "OPENAI_API_KEY", store) is None
    plain = SecretStr("sk-plain")
    assert await resolved(plain, "OPENAI_API_KEY", store) is plain


@pytest.mark.parametrize("reference", ["secret://nothing", "secret://openai#nothing"])
async def test_a_reference_to_nothing_names_the_setting_and_the_secret_but_no_value(
    tmp_path: Path, reference: str
) -> None:
    store = open_secrets(Settings(home=tmp_path))
    await store.put("openai", {"value": SecretStr(CANARY)})
    with pytest.raises(SecretsUnusable, match="OPENAI_API_KEY refers to") as raised:
        await resolved(SecretStr(reference), "OPENAI_API_KEY", store)
    assert CANARY not in str(raised.value)


def test_a_file_unless_a_server_is_named() -> None:
    assert isinstance(open_secrets(Settings()), EncryptedFile)
    token = SecretStr("t")
    assert isinstance(open_secrets(Settings(vault_url="http://127.0.0.1:1", vault_token=token)), Vault)


def test_a_server_needs_one_way_in() -> None:
    with pytest.raises(SecretsUnusable, match="0 are set"):
        open_secrets(Settings(vault_url="http://127.0.0.1:1"))
    both = Settings(vault_url="http://127.0.0.1:1", vault_token=SecretStr("t"), vault_kubernetes_role="r")
    with pytest.raises(SecretsUnusable, match="2 are set"):
        open_secrets(both)
