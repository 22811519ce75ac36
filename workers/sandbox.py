"""The part of the composition root that names the backends of the sandbox."""

from contextlib import AsyncExitStack

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import Sandbox
from workers.settings import Settings


async def open_sandbox(settings: Settings, stack: AsyncExitStack) -> Sandbox:
    """Return what runs code that nobody vouches for; its connections are the stack's.

    Raises:
        InvalidSandbox: There is no way into the cluster that the settings name.
    """
    if settings.sandbox == "bubblewrap":
        return BubblewrapSandbox()
    if settings.sandbox == "kubernetes":
        return await _kubernetes(settings, stack)
    # The engine's SDK is loaded by who has an engine.
    from activities.sandbox.docker import DockerSandbox  # noqa: PLC0415 -- see above

    docker = DockerSandbox(settings.sandbox_image, settings.docker_host, settings.sandbox_runtime)
    stack.push_async_callback(docker.close)
    return docker


async def _kubernetes(settings: Settings, stack: AsyncExitStack) -> Sandbox:
    # The client of Kubernetes takes 60 MB and half a second: who runs nothing there does not load it.
    from activities.sandbox.kubernetes import open_kubernetes_sandbox  # noqa: PLC0415 -- see above
    from activities.sandbox.kubernetes_manifest import PodTemplate  # noqa: PLC0415 -- see above

    template = PodTemplate(settings.sandbox_namespace, settings.sandbox_image, settings.sandbox_runtime)
    return await stack.enter_async_context(open_kubernetes_sandbox(template, settings.sandbox_kubeconfig))
