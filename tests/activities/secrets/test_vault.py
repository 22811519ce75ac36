"""Getting into a real server, staying in, and telling what will pass from what will not."""

import socket
from pathlib import Path

import hvac
import pytest
from pydantic import SecretStr

from activities.secrets.contracts import SecretsForbidden, SecretsUnavailable
from activities.secrets.vault import AppRoleLogin, KubernetesLogin, TokenLogin, Vault, VaultAddress
from tests.activities.secrets.bao import Bao, authority, running_bao

ALL = 'path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
READ_ONLY = 'path "secret/*" { capabilities = ["read", "list"] }'


def as_role(bao: Bao, name: str, policy: str = ALL, ttl: str = "1h") -> Vault:
    role, secret = bao.app_role(name, policy, ttl)
    return Vault(VaultAddress(url=bao.url, login=AppRoleLogin(role_id=role, secret_id=SecretStr(secret)), prefix=name))


async def test_an_app_role_gets_in(bao: Bao) -> None:
    vault = as_role(bao, "writer")
    await vault.put("key", {"value": SecretStr("x")})
    assert (await vault.get("key")).version == 1


async def test_a_revoked_token_is_replaced_without_anybody_noticing(bao: Bao) -> None:
    vault = as_role(bao, "revoked")
    await vault.put("key", {"value": SecretStr("x")})
    first = vault._client.token
    bao.client.auth.token.revoke(first)
    assert (await vault.get("key")).version == 1
    assert vault._client.token != first


async def test_a_token_near_its_end_is_replaced_before_it_is_refused(bao: Bao) -> None:
    vault = as_role(bao, "short", ttl="60s")
    await vault.put("key", {"value": SecretStr("x")})
    first = vault._client.token
    vault._login_before -= 41
    await vault.get("key")
    assert vault._client.token != first


async def test_what_the_policy_forbids_is_final(bao: Bao) -> None:
    with pytest.raises(SecretsForbidden) as caught:
        await as_role(bao, "reader", READ_ONLY).put("key", {"value": SecretStr("canary-77")})
    assert not caught.value.retryable
    assert "canary-77" not in str(caught.value) + str(caught.value.details)


async def test_a_wrong_login_is_final_and_never_told(bao: Bao) -> None:
    for login in (
        TokenLogin(token=SecretStr("canary-88")),
        AppRoleLogin(role_id="nobody", secret_id=SecretStr("canary-88")),
    ):
        with pytest.raises(SecretsForbidden) as caught:
            await Vault(VaultAddress(url=bao.url, login=login)).get("key")
        assert "canary-88" not in str(caught.value) + str(caught.value.details)


async def test_a_server_that_is_away_may_come_back() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        vault = Vault(
            VaultAddress(url=f"http://127.0.0.1:{taken.getsockname()[1]}", login=TokenLogin(token=SecretStr("x")))
        )
        with pytest.raises(SecretsUnavailable) as caught:
            await vault.get("key")
    assert caught.value.retryable


async def test_a_server_that_does_not_answer_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        vault = Vault(VaultAddress(url=url, login=TokenLogin(token=SecretStr("x")), timeout_seconds=0.2))
        with pytest.raises(SecretsUnavailable):
            await vault.get("key")


async def test_a_pod_without_its_token_is_told_where_it_was_looked_for(bao: Bao, tmp_path: Path) -> None:
    login = KubernetesLogin(role="prism", token_file=tmp_path / "token")
    with pytest.raises(SecretsForbidden, match="service account"):
        await Vault(VaultAddress(url=bao.url, login=login)).get("key")


async def test_a_servers_certificate_counts_only_by_the_authority_that_is_named(tmp_path: Path) -> None:
    with running_bao(tmp_path, tls=True) as server:
        login = TokenLogin(token=SecretStr(server.token))
        with pytest.raises(SecretsUnavailable, match="SSLError"):
            await Vault(VaultAddress(url=server.url, login=login)).names()
        assert await Vault(VaultAddress(url=server.url, login=login, ca=authority(tmp_path))).names() == ()


async def test_what_is_kept_in_a_namespace_is_not_seen_outside_of_it(bao: Bao) -> None:
    bao.client.adapter.post("/v1/sys/namespaces/team")
    inside = hvac.Client(url=bao.url, token=bao.token, namespace="team")
    inside.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    login = TokenLogin(token=SecretStr(bao.token))
    within = Vault(VaultAddress(url=bao.url, login=login, namespace="team", prefix="spaced"))
    await within.put("key", {"value": SecretStr("x")})
    assert await within.names() == ("key",)
    assert await Vault(VaultAddress(url=bao.url, login=login, prefix="spaced")).names() == ()
