"""Memory and process limits on a whole program tree by control groups, where the host lets us make them."""

import contextlib
import itertools
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PREFIX: Final = "prism-sandbox-"
_UNIFIED: Final = ""
_numbers: Final = itertools.count(1)


@dataclass(frozen=True)
class Cgroup:
    """The groups of one program: one folder (version 2) or one per controller (version 1).

    Args:
        folders: Where the groups are, by controller; the controller of version 2 is the empty string.
    """

    folders: dict[str, Path]

    @property
    def procs(self) -> list[Path]:
        """Files that a process writes its id to in order to join."""
        return [folder / "cgroup.procs" for folder in self.folders.values()]

    @property
    def limits_memory(self) -> bool:
        """Whether the memory of all processes together is limited."""
        return _UNIFIED in self.folders or "memory" in self.folders

    def oom_kills(self) -> int:
        """Return how many processes the kernel killed for want of memory."""
        folder = self.folders.get(_UNIFIED)
        path = folder / "memory.events" if folder else self.folders.get("memory", Path()) / "memory.oom_control"
        with contextlib.suppress(OSError):
            for line in path.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
        return 0

    def kill(self) -> None:
        """Kill whatever is still in the groups."""
        for path in self.procs:
            with contextlib.suppress(OSError):
                for pid in path.read_text().split():
                    os.kill(int(pid), signal.SIGKILL)

    def remove(self) -> bool:
        """Remove the groups; ``False`` while a process in them has not ended."""
        gone = True
        for folder in self.folders.values():
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone


@dataclass(frozen=True)
class CgroupParents:
    """Where new groups go: below the worker's own, so that limits on the worker still hold.

    Args:
        folders: Parent folders by controller.
    """

    folders: dict[str, Path]

    def create(self, memory_bytes: int, processes: int) -> Cgroup | None:
        """Make groups with limits.

        Args:
            memory_bytes: Memory of all processes together, files in memory included.
            processes: Processes and threads.

        Returns:
            The groups of the controllers that could be used, or ``None`` when there are none.
        """
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        made: dict[str, Path] = {}
        for controller, parent in self.folders.items():
            folder = parent / name
            try:
                folder.mkdir()
                _limit(folder, controller, memory_bytes, processes)
            except OSError:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            else:
                made[controller] = folder
        return Cgroup(made) if made else None

    def sweep(self) -> None:
        """Remove groups left by workers that were killed; a group in use cannot be removed."""
        for parent in self.folders.values():
            for folder in parent.glob(f"{_PREFIX}*-*"):
                owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
                if owner.isdecimal() and not Path("/proc", owner).exists():
                    with contextlib.suppress(OSError):
                        folder.rmdir()


def find_parents(proc: Path = Path("/proc/self")) -> CgroupParents:
    """Find where groups can be made, from a process's ``cgroup`` and ``mountinfo`` files."""
    try:
        memberships = (proc / "cgroup").read_text().splitlines()
        mounts = _mounts((proc / "mountinfo").read_text())
    except OSError:
        return CgroupParents({})
    folders: dict[str, Path] = {}
    for line in memberships:
        _, controllers, own = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in mounts and controller in {_UNIFIED, "memory", "pids"}:
                root, point = mounts[controller]
                below = own.removeprefix(root).lstrip("/") if own.startswith(root) else ""
                folder = point / below
                folders[controller] = folder if folder.is_dir() else point
    if {"memory", "pids"} & folders.keys():
        folders.pop(_UNIFIED, None)
    elif _UNIFIED in folders:
        folders[_UNIFIED] = _delegated(folders[_UNIFIED])
    return CgroupParents(folders)


def _delegated(own: Path) -> Path:
    """Return the nearest group whose children have the controllers: one with processes in it may not."""
    for folder in (own, own.parent):
        with contextlib.suppress(OSError):
            if {"memory", "pids"} <= set((folder / "cgroup.subtree_control").read_text().split()):
                return folder
    return own


def _mounts(mountinfo: str) -> dict[str, tuple[str, Path]]:
    """Return root and mount point of each controller's hierarchy."""
    found: dict[str, tuple[str, Path]] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(" "), [*after.split(" "), "", "", ""][:3]
        place = (fields[3], Path(fields[4]))
        if kind == "cgroup2":
            found[_UNIFIED] = place
        elif kind == "cgroup":
            found.update((option, place) for option in options.split(","))
    return found


def _limit(folder: Path, controller: str, memory_bytes: int, processes: int) -> None:
    if controller in {_UNIFIED, "memory"}:
        version1 = controller == "memory"
        (folder / ("memory.limit_in_bytes" if version1 else "memory.max")).write_text(str(memory_bytes))
        swap = ("memory.memsw.limit_in_bytes", memory_bytes) if version1 else ("memory.swap.max", 0)
        with contextlib.suppress(OSError):
            (folder / swap[0]).write_text(str(swap[1]))
    if controller in {_UNIFIED, "pids"}:
        (folder / "pids.max").write_text(str(processes))
