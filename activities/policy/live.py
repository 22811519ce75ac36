"""Policies of a folder that are taken up as they change, without a restart."""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from activities.policy.bundle import RegoBundle
from activities.policy.contracts import PolicyUnavailable
from activities.policy.folder import read_policies

log = logging.getLogger("prism.policy")

# How long a changed file may go unnoticed; looking takes a fifth of a millisecond.
LOOK_SECONDS: Final = 2.0
Stamp = tuple[tuple[str, int, int], ...]


class LivePolicies:
    """The policies in force. Files that do not compile leave those before in force, and are told.

    Args:
        folder: Holds ``**/*.rego`` and, for package path ``a.b``, the data document ``a/b/data.json``.
        entries: The rules that have to be there.
        wanted: Whether files of a package path belong to them.

    Raises:
        PolicyUnavailable: The policies do not compile, or lack one of the rules.
    """

    def __init__(self, folder: Path, entries: Iterable[str], wanted: Callable[[str], bool]) -> None:
        self._folder = folder
        self._entries = tuple(entries)
        self._wanted = wanted
        self._stamp = self._look()
        self._looked = time.monotonic()
        self._bundle = RegoBundle(read_policies(folder, wanted), self._entries)
        self.fault = ""

    def current(self) -> RegoBundle:
        """Return the policies in force now."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._take_up()
        return self._bundle

    def _take_up(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            found = read_policies(self._folder, self._wanted)
            changed = found.digest != self._bundle.digest
            self._bundle = RegoBundle(found, self._entries) if changed else self._bundle
        except (PolicyUnavailable, OSError) as error:
            self.fault = error.message if isinstance(error, PolicyUnavailable) else str(error)
            log.warning("changed policies are not taken up, those before stay in force: %s", self.fault)
            return
        self.fault = ""
        if changed:
            log.warning("the policies in %s have changed: %s is in force", self._folder, self._bundle.digest)

    def _look(self) -> Stamp:
        found = []
        for path in sorted(self._folder.glob("**/*")):
            if path.suffix in {".rego", ".json"} and self._wanted(path.relative_to(self._folder).parts[0]):
                seen = path.stat()
                found.append((str(path), seen.st_mtime_ns, seen.st_size))
        return tuple(found)
