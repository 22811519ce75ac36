"""A real Docker engine for tests, on a socket of its own, with an image made of this machine's Debian packages."""

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from docker import APIClient
from docker.errors import DockerException

IMAGE: Final = "prism-tests/sandbox:1"
# What the product's own Dockerfile installs.
PACKAGES: Final = ("bash", "coreutils", "findutils", "grep", "sed", "python3-minimal", "libpython3-stdlib", "nodejs")
_UNNEEDED: Final = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/include", "/usr/lib/node_modules")
_START_SECONDS: Final = 40.0
# An engine's programs are in folders that are on root's path only.
_PATH: Final = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


class EngineUnusable(RuntimeError):
    """This machine lets no engine run containers."""


def missing() -> str:
    """Return why no engine can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "a Docker engine is started by root alone"
    absent = [name for name in ("dockerd", "containerd", "runc") if shutil.which(name, path=_PATH) is None]
    return f"{', '.join(absent)} not installed; make setup" if absent else ""


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """Start an engine that touches no network, and yield its address.

    Args:
        folder: Where it keeps everything; on a disk, as the overlay of layers is none over another overlay.

    Raises:
        EngineUnusable: It does not start, or runs no container.
    """
    address = f"unix://{folder / 'docker.sock'}"
    command = [
        shutil.which("dockerd", path=_PATH) or "dockerd",
        "-H",
        address,
        "--data-root",
        folder / "data",
        "--exec-root",
        folder / "exec",
    ]
    command += ["--pidfile", folder / "pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "PATH": _PATH}, start_new_session=True
        )
    try:
        with closing(_answering(address, process, folder / "log")) as client:
            _import_image(client)
            _try(client)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answering(address: str, process: subprocess.Popen[bytes], log: Path) -> APIClient:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as tried:
            if not tried.connect_ex(address.removeprefix("unix://")):
                return APIClient(base_url=address, version="auto", timeout=120)
        time.sleep(0.05)
    raise EngineUnusable("dockerd did not start:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:]))


def _import_image(client: APIClient) -> None:
    read, write = os.pipe()
    packing = subprocess.Popen([sys.executable, "-m", __name__], stdout=write)
    os.close(write)
    with os.fdopen(read, "rb") as tar:
        client.import_image_from_stream(tar, repository=IMAGE.partition(":")[0], tag=IMAGE.partition(":")[2])
    if packing.wait():
        raise RuntimeError("the image could not be packed")


def _try(client: APIClient) -> None:
    """Run one container as the sandbox would limit it: not every machine that starts an engine can."""
    limits = client.create_host_config(network_mode="none", mem_limit=1 << 27, pids_limit=20, read_only=True)
    try:
        made = client.create_container(IMAGE, ["bash", "-c", "exit 0"], host_config=limits)
        client.start(made["Id"])
        code = client.wait(made["Id"], timeout=30)["StatusCode"]
        client.remove_container(made["Id"], force=True)
    except (DockerException, OSError) as fault:
        raise EngineUnusable(f"the engine runs no container here: {fault}") from fault
    if code:
        raise EngineUnusable(f"a container ended with {code}")


def _packages() -> list[str]:
    """Return the packages and all they depend on, as far as they are installed."""
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    command = ["apt-cache", "depends", "--recurse", "--installed", *(f"--no-{kind}" for kind in kinds), *PACKAGES]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sorted({line for line in told.splitlines() if line and line[0].isalnum()})


def _pack() -> None:
    """Write the packages' files as a tar archive to standard output."""
    listed = subprocess.run(["dpkg-query", "-L", *_packages()], capture_output=True, text=True, check=True).stdout
    places = {str(Path(name).parent.resolve() / Path(name).name) for name in listed.splitlines()}
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for place in sorted(places):
            path = Path(place)
            if not place.startswith(_UNNEEDED) and (path.is_symlink() or path.exists()):
                archive.add(place, arcname=place.lstrip("/"), recursive=False)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if Path("/", name).is_symlink() and f"/{name}" not in places:
                archive.add(f"/{name}", recursive=False)


if __name__ == "__main__":
    _pack()
