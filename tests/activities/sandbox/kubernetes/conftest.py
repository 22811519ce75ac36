from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from activities.sandbox.contracts import Execution, Limits
from activities.sandbox.kubernetes import KubernetesSandbox, open_kubernetes_sandbox
from activities.sandbox.kubernetes_api import Patience
from activities.sandbox.kubernetes_manifest import PodTemplate
from catalogs.row import Language
from tests.activities.sandbox.kubernetes.cluster import TOKEN, Cluster, serve_cluster

Open = Callable[..., Awaitable[KubernetesSandbox]]

TEMPLATE = PodTemplate(namespace="sandboxes", image="registry.example/sandbox:1", start_seconds=30)
QUICK = Patience(request_seconds=1.0, attempts=3, first_delay=0.02, longest_delay=1.0)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serve_cluster(tmp_path) as served:
        yield served


@pytest.fixture
async def opened(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_one(token: str = TOKEN, template: PodTemplate = TEMPLATE) -> KubernetesSandbox:
            path = kubeconfig(tmp_path, cluster.address, token)
            return await stack.enter_async_context(open_kubernetes_sandbox(template, path, QUICK))

        yield open_one


@pytest.fixture
async def sandbox(opened: Open) -> KubernetesSandbox:
    return await opened()


def kubeconfig(folder: Path, server: str, token: str) -> Path:
    path = folder / "kubeconfig"
    named = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", **named}))
    return path


def program(
    code: str, language: Language = Language.PYTHON, *, key: str = "", stdin: str = "", **limits: float
) -> Execution:
    given = Limits.model_validate({"wall_seconds": 10.0, "memory_bytes": 256 * 2**20, **limits})
    return Execution(language=language, code=code, stdin=stdin, key=key, limits=given)
