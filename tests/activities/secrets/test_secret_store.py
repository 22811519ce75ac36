"""What every store of secrets does, whatever keeps them."""

import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.secrets.contracts import MAX_SECRET_BYTES, InvalidSecret, SecretNotFound, SecretStore
from activities.secrets.encrypted_file import EncryptedFile
from activities.secrets.master_key import MasterKey
from activities.secrets.vault import TokenLogin, Vault, VaultAddress
from tests.activities.secrets.bao import Bao


@pytest.fixture(params=["file", "vault"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    if request.param == "file":
        return EncryptedFile(tmp_path / "secrets.json", MasterKey(tmp_path / "secrets.key", keyring=False))
    bao: Bao = request.getfixturevalue("bao")
    login = TokenLogin(token=SecretStr(bao.token))
    return Vault(VaultAddress(url=bao.url, login=login, prefix=f"prism-{secrets.token_hex(4)}"))


async def put(store: SecretStore, name: str, text: str) -> int:
    return (await store.put(name, {"value": SecretStr(text)})).version


async def value(store: SecretStore, name: str, version: int | None = None) -> str:
    return (await store.get(name, version)).fields["value"].get_secret_value()


async def test_the_newest_version_is_read_and_the_earlier_ones_stay(store: SecretStore) -> None:
    assert [await put(store, "provider/key", text) for text in ("first", "second")] == [1, 2]
    assert await value(store, "provider/key") == "second"
    assert await value(store, "provider/key", 1) == "first"
    kept = await store.versions("provider/key")
    assert [(one.version, one.destroyed) for one in kept] == [(1, False), (2, False)]
    assert kept[0].created_at <= kept[1].created_at
    assert kept[0].created_at.tzinfo is not None


async def test_a_secret_may_have_several_fields(store: SecretStore) -> None:
    await store.put("mail", {"user": SecretStr("ana"), "password": SecretStr("s3cret ü")})
    found = await store.get("mail")
    assert {field: text.get_secret_value() for field, text in found.fields.items()} == {
        "user": "ana",
        "password": "s3cret ü",
    }
    assert "s3cret" not in repr(found)


async def test_names_are_listed_in_order_and_through_folders(store: SecretStore) -> None:
    assert await store.names() == ()
    for name in ("b", "a/b/c", "a/a", "a"):
        await put(store, name, "x")
    assert await store.names() == ("a", "a/a", "a/b/c", "b")


async def test_a_destroyed_version_is_gone_and_the_others_are_not(store: SecretStore) -> None:
    for text in ("first", "second"):
        await put(store, "key", text)
    await store.destroy("key", 1)
    with pytest.raises(SecretNotFound):
        await store.get("key", 1)
    assert await value(store, "key") == "second"
    assert [one.destroyed for one in await store.versions("key")] == [True, False]


async def test_when_the_newest_is_destroyed_no_older_one_takes_its_place(store: SecretStore) -> None:
    for text in ("first", "second"):
        await put(store, "key", text)
    await store.destroy("key", 2)
    with pytest.raises(SecretNotFound):
        await store.get("key")
    assert await put(store, "key", "third") == 3


async def test_a_deleted_secret_is_gone_with_all_versions(store: SecretStore) -> None:
    await put(store, "key", "first")
    await store.delete("key")
    assert await store.names() == ()
    with pytest.raises(SecretNotFound):
        await store.get("key", 1)


async def test_what_was_never_there_is_not_found(store: SecretStore) -> None:
    await put(store, "key", "first")
    for asked in (
        store.get("other"),
        store.get("key", 2),
        store.versions("other"),
        store.destroy("other", 1),
        store.destroy("key", 7),
        store.delete("other"),
    ):
        with pytest.raises(SecretNotFound):
            await asked


@pytest.mark.parametrize("name", ["", "Upper", "../up", "a//b", "/a", "a/", "a b", "x" * 201, "a\n"])
async def test_a_bad_name_is_refused_and_not_repeated(store: SecretStore, name: str) -> None:
    with pytest.raises(InvalidSecret) as caught:
        await put(store, name, "x")
    assert len(name) < 3 or name not in caught.value.message


@pytest.mark.parametrize("fields", [{}, {"value": ""}, {"": "x"}, {"value": "x" * (MAX_SECRET_BYTES + 1)}])
async def test_a_value_that_is_empty_or_too_large_is_refused(store: SecretStore, fields: dict[str, str]) -> None:
    with pytest.raises(InvalidSecret):
        await store.put("key", {name: SecretStr(text) for name, text in fields.items()})
