"""Both policy engines, over the policies that ship."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.policy.embedded import EmbeddedPolicy
from activities.policy.engine import PolicyEngine
from activities.policy.folder import admission_only, read_policies
from activities.policy.server import OpaServerPolicy, PolicyServer, open_opa_server
from tests.opa import installed, serving
from workers.policy import POLICIES


@pytest.fixture(scope="session")
def decision_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server logs what it decided."""
    return tmp_path_factory.mktemp("opa") / "decisions.jsonl"


@pytest.fixture(scope="session")
async def opa_url(decision_log: Path) -> AsyncIterator[str]:
    """The address of a real OPA server with the bundle that Prism makes of its policies."""
    bundle = decision_log.with_name("bundle.tar.gz")
    bundle.write_bytes(read_policies(POLICIES, admission_only).bundle())
    async with serving(installed(), bundle, log=decision_log) as url:
        yield url


@pytest.fixture(scope="session")
async def server_policy(opa_url: str) -> AsyncIterator[OpaServerPolicy]:
    """The server backend, with patience for a busy machine."""
    async with open_opa_server(PolicyServer(opa_url, timeout=15)) as policy:
        yield policy


@pytest.fixture(scope="session")
def embedded_policy() -> EmbeddedPolicy:
    """The embedded backend."""
    return EmbeddedPolicy(POLICIES)


@pytest.fixture(params=["embedded_policy", "server_policy"])
def engine(request: pytest.FixtureRequest) -> PolicyEngine:
    """Each backend in turn."""
    found: PolicyEngine = request.getfixturevalue(request.param)
    return found
