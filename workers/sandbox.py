"""The sandbox that runs the programs of rows."""

from contextlib import AsyncExitStack

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import InvalidSandbox, Sandbox
from workers.settings import Settings


async def open_sandbox(settings: Settings, stack: AsyncExitStack) -> Sandbox:
    """Return the sandbox of the settings, its lifetime owned by the stack.

    Raises:
        InvalidSandbox: The settings do not fit together, or name credentials that are not there.
    """
    if settings.sandbox == "kubernetes":
        return await _kubernetes(settings, stack)
    return BubblewrapSandbox()


async def _kubernetes(settings: Settings, stack: AsyncExitStack) -> Sandbox:
    # The client of Kubernetes takes 60 MB and half a second: who runs nothing there does not load it.
    from activities.sandbox.kubernetes import open_kubernetes_sandbox  # noqa: PLC0415 -- see above
    from activities.sandbox.kubernetes_manifest import PodTemplate  # noqa: PLC0415 -- see above

    if not settings.sandbox_image:
        raise InvalidSandbox("PRISM_SANDBOX=kubernetes needs PRISM_SANDBOX_IMAGE, an image with python3, bash and node")
    template = PodTemplate(settings.sandbox_namespace, settings.sandbox_image, settings.sandbox_runtime_class)
    return await stack.enter_async_context(open_kubernetes_sandbox(template, settings.sandbox_kubeconfig))
