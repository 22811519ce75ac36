"""Settings that refer to secrets, and where those are kept."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.secrets.contracts import SecretsUnusable
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.references import Remembering, resolved
from activities.secrets.vault import Vault
from workers.secrets import open_secrets
from workers.settings import Settings

CANARY = "sk-canary-7f3a"
URL = "https://vault.example.org:8200"


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


@pytest.mark.parametrize("reference", [f"secret://{CANARY} ", f"secret://{CANARY.upper()}", "secret://openai#"])
async def test_what_is_no_reference_is_not_repeated(tmp_path: Path, reference: str) -> None:
    with pytest.raises(SecretsUnusable, match="OPENAI_API_KEY is not secret://name") as raised:
        await resolved(SecretStr(f"{reference}?"), "OPENAI_API_KEY", open_secrets(Settings(home=tmp_path)))
    assert CANARY.lower() not in str(raised.value).lower()


def test_a_file_unless_a_server_is_named() -> None:
    assert isinstance(kept_in(Settings()), EncryptedFile)


@pytest.mark.parametrize(
    "login",
    [{"vault_token": CANARY}, {"vault_role_id": "role", "vault_secret_id": CANARY}, {"vault_kubernetes_role": "prism"}],
)
def test_every_login_opens_the_server(login: dict[str, str]) -> None:
    assert isinstance(kept_in(Settings.model_validate({"vault_url": URL, **login})), Vault)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vault_token": CANARY}, "PRISM_VAULT_TOKEN is set and PRISM_VAULT_URL is not"),
        ({"vault_url": URL}, "0 are set"),
        ({"vault_url": URL, "vault_token": CANARY, "vault_kubernetes_role": "prism"}, "2 are set"),
        ({"vault_url": URL, "vault_secret_id": CANARY}, "PRISM_VAULT_ROLE_ID"),
        ({"vault_url": "vault.example.org", "vault_token": CANARY}, "https://host:port"),
        ({"vault_url": f"https://x:{CANARY}@vault", "vault_token": CANARY}, "https://host:port"),
        ({"vault_url": URL, "vault_token": CANARY, "vault_ca": Path("gone.pem")}, "PRISM_VAULT_CA"),
    ],
)
def test_settings_that_do_not_fit_are_told_without_a_value(given: dict[str, object], told: str) -> None:
    with pytest.raises(SecretsUnusable, match=told) as raised:
        open_secrets(Settings.model_validate(given))
    assert CANARY not in str(raised.value)


def kept_in(settings: Settings) -> object:
    store = open_secrets(settings)
    assert isinstance(store, Remembering)
    return store.store
