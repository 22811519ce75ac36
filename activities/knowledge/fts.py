"""Full-text search over a folder of documents, by SQLite's FTS5. The index follows the files."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from activities.knowledge.contracts import KnowledgeUnavailable, Passage, UnknownCollection

SUFFIXES: Final = frozenset({".md", ".txt", ".rst", ".csv"})
PASSAGE_CHARS: Final = 1_200
MAX_FILE_BYTES: Final = 4 * 1024 * 1024
MAX_WORDS: Final = 40
_WORD: Final = re.compile(r"\w{2,}")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, collection TEXT NOT NULL, stamp TEXT NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS passages USING fts5(
    text, path UNINDEXED, collection UNINDEXED, line UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2'
);
"""


class FolderLibrary:
    """Searches a folder whose subfolders are collections of text files.

    Args:
        folder: The folder; ``None`` for no documents.
        index: File of the index; it is made anew from the documents where it is missing.
    """

    def __init__(self, folder: Path | None, index: Path) -> None:
        self._folder = folder.resolve() if folder else None
        self._index = index

    def collections(self) -> tuple[str, ...]:
        """Return the names of all collections."""
        if self._folder is None or not self._folder.is_dir():
            return ()
        return tuple(sorted(one.name for one in self._folder.iterdir() if one.is_dir() and one.name[0] != "."))

    def find(self, collections: tuple[str, ...], query: str, limit: int) -> list[Passage]:
        """Return the passages that fit a query best, the best first."""
        known = self.collections()
        for name in collections:
            if name not in known:
                there = ", ".join(known) or "none"
                raise UnknownCollection(f"there is no collection {name!r} of documents; there are {there}", name=name)
        words = list(dict.fromkeys(word.casefold() for word in _WORD.findall(query)))[:MAX_WORDS]
        if not words:
            return []
        try:
            with closing(sqlite3.connect(self._index, timeout=10)) as connection:
                self._follow(connection, collections)
                return _found(connection, collections, words, limit)
        except (sqlite3.Error, OSError) as error:
            raise KnowledgeUnavailable(f"the index of the documents cannot be read: {error}") from error

    def _follow(self, connection: sqlite3.Connection, collections: tuple[str, ...]) -> None:
        """Bring the index to what the files hold now; files that did not change are not read."""
        connection.executescript(_SCHEMA)
        marks = ", ".join("?" * len(collections))
        select = f"SELECT path, stamp FROM files WHERE collection IN ({marks})"  # noqa: S608 -- marks only
        files = {str(path): stamp for path, stamp in self._files(collections)}
        if dict(connection.execute(select, collections)) == files:
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            # Another worker may have brought it up meanwhile.
            known = dict(connection.execute(select, collections))
            for path in known.keys() - files.keys():
                _forget(connection, path)
            for path, stamp in files.items():
                if known.get(path) != stamp:
                    _forget(connection, path)
                    self._read(connection, path, stamp)

    def _files(self, collections: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
        assert self._folder is not None  # noqa: S101 -- without a folder there are no collections
        for name in collections:
            for path in sorted((self._folder / name).rglob("*")):
                # A link may lead out of the folder.
                if path.suffix.lower() in SUFFIXES and path.is_file() and path.resolve().is_relative_to(self._folder):
                    found = path.stat()
                    if found.st_size <= MAX_FILE_BYTES:
                        yield path.relative_to(self._folder), f"{found.st_size} {found.st_mtime_ns}"

    def _read(self, connection: sqlite3.Connection, path: str, stamp: str) -> None:
        assert self._folder is not None  # noqa: S101 -- likewise
        text = (self._folder / path).read_text(encoding="utf-8", errors="replace")
        collection = path.partition("/")[0]
        connection.execute("INSERT INTO files VALUES (?, ?, ?)", (path, collection, stamp))
        connection.executemany(
            "INSERT INTO passages (text, path, collection, line) VALUES (?, ?, ?, ?)",
            ((passage, path, collection, line) for line, passage in passages_of(text)),
        )


def passages_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the passages of a document, each with the line on which it begins: paragraphs, small ones together."""
    begun, held = 1, ""
    for line, paragraph in _paragraphs(text):
        if held and len(held) + len(paragraph) > PASSAGE_CHARS:
            yield begun, held
            held = ""
        begun, held = (begun, f"{held}\n\n{paragraph}") if held else (line, paragraph)
        while len(held) > 2 * PASSAGE_CHARS:
            cut = held.rfind(" ", PASSAGE_CHARS // 2, PASSAGE_CHARS)
            cut = cut if cut > 0 else PASSAGE_CHARS
            yield begun, held[:cut]
            begun, held = begun + held[:cut].count("\n"), held[cut:].lstrip()
    if held:
        yield begun, held


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    begun, lines = 1, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            begun = begun if lines else number
            lines.append(line.rstrip())
        elif lines:
            yield begun, "\n".join(lines)
            lines = []
    if lines:
        yield begun, "\n".join(lines)


def _forget(connection: sqlite3.Connection, path: str) -> None:
    connection.execute("DELETE FROM passages WHERE path = ?", (path,))
    connection.execute("DELETE FROM files WHERE path = ?", (path,))


def _found(connection: sqlite3.Connection, collections: tuple[str, ...], words: list[str], limit: int) -> list[Passage]:
    # Words of a person are never FTS5's own syntax: each stands in quotes.
    query = " OR ".join(f'"{word}"' for word in words)
    marks = ", ".join("?" * len(collections))
    rows = connection.execute(
        f"SELECT path, line, text FROM passages WHERE passages MATCH ? AND collection IN ({marks}) "  # noqa: S608
        "ORDER BY bm25(passages), path, line LIMIT ?",
        (query, *collections, limit),
    )
    return [Passage(source=f"{path}:{line}", text=text) for path, line, text in rows]
