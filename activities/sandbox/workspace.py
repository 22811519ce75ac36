"""A program's folder of files, as process 1 of its sandbox sees it: laid before it starts, collected at its end.

The launcher loads this file within the sandbox, with the Python (3.9 or newer) that is there, so it imports the
standard library alone. It runs as the program's own user: whatever it hands out could be the program's invention, and
is checked again outside.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

INPUTS = "inputs"
MOST_ENTRIES = 20_000
MOST_DEPTH = 32
LONGEST_PATH_BYTES = 1024
_CHUNK = 1 << 16
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
Take = Callable[[bytes], None]


class Unkept(Exception):
    """The files cannot be kept; the message says why."""


def lay(archive: Path, root: Path) -> None:
    """Write the files of an archive of ours into a folder."""
    with tarfile.open(archive) as files:
        for member in files:
            path = root / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = files.extractfile(member)
            path.write_bytes(content.read() if content else b"")


def collect(root: Path, wanted: dict[str, Any], take: Take) -> int:
    """Hand out the files of a folder that are to be kept, each as a line of JSON and its bytes; return how many.

    Nothing but regular files with one name is read, and no link is followed. No process may run that could write.

    Args:
        root: The folder.
        wanted: ``expression`` that a whole path matches, ``bytes`` and ``files``: how much of it at most.
        take: Takes the pieces.

    Raises:
        Unkept: There is something among them that is not kept, or too much.
    """
    collection = _Collection(re.compile(wanted["expression"]), wanted["bytes"], wanted["files"], take)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        collection.folder(descriptor, (), frozenset({INPUTS}))
    finally:
        os.close(descriptor)
    return collection.count


class _Collection:
    def __init__(self, expression: re.Pattern[str], most_bytes: int, most_files: int, take: Take) -> None:
        self.expression = expression
        self.most_bytes = most_bytes
        self.most_files = most_files
        self.take = take
        self.entries = 0
        self.size = 0
        self.count = 0

    def folder(self, descriptor: int, parts: tuple[str, ...], passed_over: frozenset[str] = frozenset()) -> None:
        """Hand out what is kept of a folder."""
        if len(parts) > MOST_DEPTH:
            raise Unkept(f"there are folders within more than {MOST_DEPTH} others")
        for name in self.names(descriptor):
            if name in passed_over:
                continue
            path = "/".join((*parts, name))
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                self.file(descriptor, name, path, found)
                continue
            try:
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            except OSError as fault:
                raise Unkept(f"the folder {path!a} cannot be read: {fault.strerror}") from None
            try:
                self.folder(inner, (*parts, name))
            finally:
                os.close(inner)

    def names(self, descriptor: int) -> list[str]:
        """Return what is in a folder, in one order whatever the file system's is."""
        names = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                self.entries += 1
                if self.entries > MOST_ENTRIES:
                    raise Unkept(f"there are more than {MOST_ENTRIES} files and folders")
                names.append(entry.name)
        return sorted(names)

    def file(self, descriptor: int, name: str, path: str, found: os.stat_result) -> None:
        """Hand out a file, if it is one that is kept."""
        if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
            raise Unkept(f"the path {path[:40]!a}... is longer than {LONGEST_PATH_BYTES} bytes")
        if not self.expression.fullmatch(path):
            return
        if not path.isprintable() or "\\" in path:
            raise Unkept(f"the path {path!a} has characters that no path may have here")
        if not stat.S_ISREG(found.st_mode):
            raise Unkept(f"{path} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}")
        if found.st_nlink != 1:
            raise Unkept(f"{path} is a hard link: the file has {found.st_nlink} names")
        self.count += 1
        self.size += found.st_size
        if self.count > self.most_files:
            raise Unkept(f"there are more than {self.most_files} files")
        if self.size > self.most_bytes:
            raise Unkept(f"the files are larger than {self.most_bytes} bytes together, with {path}")
        try:
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        except OSError as fault:
            raise Unkept(f"{path} cannot be read: {fault.strerror}") from None
        try:
            self.content(opened, path, found)
        finally:
            os.close(opened)

    def content(self, opened: int, path: str, found: os.stat_result) -> None:
        """Hand out a file's bytes."""
        self.take(json.dumps({"path": path, "size": found.st_size}).encode() + b"\n")
        left = found.st_size
        while left and (chunk := os.read(opened, min(left, _CHUNK))):
            self.take(chunk)
            left -= len(chunk)
        if left or os.read(opened, 1):
            raise Unkept(f"{path} changed while it was collected")
