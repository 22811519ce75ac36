"""A real OpenBao server in memory, on a free port."""

import os
import secrets
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import hvac


@dataclass(frozen=True)
class Bao:
    """A server under test, and a client that may do everything there."""

    url: str
    token: str
    client: hvac.Client

    def app_role(self, name: str, policy: str, ttl: str) -> tuple[str, str]:
        """Make an AppRole; return its role id and secret id."""
        self.client.sys.create_or_update_policy(name, policy)
        roles = self.client.auth.approle
        roles.create_or_update_approle(name, token_policies=[name], token_ttl=ttl)
        made = roles.generate_secret_id(name)
        return roles.read_role_id(name)["data"]["role_id"], made["data"]["secret_id"]


@contextmanager
def running_bao(home: Path, *, tls: bool = False) -> Iterator[Bao]:
    """Start a server and wait until it answers; with TLS its authority's certificate is in ``home``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, token = f"{'https' if tls else 'http'}://127.0.0.1:{port}", secrets.token_hex(16)
    command = [str(Path(sysconfig.get_path("scripts")) / "bao"), "server", "-dev", "-dev-no-store-token"]
    command += [f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={token}"]
    command += ["-dev-tls", f"-dev-tls-cert-dir={home}"] if tls else []
    with (home / "bao.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "HOME": str(home)})
    try:
        _wait(server, url, home / "bao.log")
        client = hvac.Client(url=url, token=token, verify=str(authority(home)) if tls else True)
        client.sys.enable_auth_method("approle")
        yield Bao(url, token, client)
    finally:
        server.terminate()
        server.wait()


def authority(home: Path) -> Path:
    """Return the certificate of the authority that a server with TLS made."""
    return next(home.glob("*-ca.pem"))


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            # The dev server mounts its KV engine a moment after it is unsealed.
            health = httpx.get(f"{url}/v1/sys/health", verify=False)  # noqa: S501 -- asks only whether our own server is up
            if health.status_code == 200 and "Development mode" in log.read_text():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"bao did not answer:\n{log.read_text()}")
