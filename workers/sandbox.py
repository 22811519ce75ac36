"""The part of the composition root that names the backends of the sandbox."""

from contextlib import AsyncExitStack

from activities.sandbox.bubblewrap import BubblewrapSandbox
from activities.sandbox.contracts import Sandbox
from workers.settings import Settings


def open_sandbox(settings: Settings, stack: AsyncExitStack) -> Sandbox:
    """Return what runs code that nobody vouches for; its connections are the stack's."""
    if settings.sandbox == "bubblewrap":
        return BubblewrapSandbox()
    # The engine's SDK is loaded by who has an engine.
    from activities.sandbox.docker import DockerSandbox  # noqa: PLC0415 -- see above

    docker = DockerSandbox(settings.sandbox_image, settings.docker_host, settings.sandbox_runtime)
    stack.push_async_callback(docker.close)
    return docker
