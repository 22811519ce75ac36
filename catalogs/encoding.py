"""From bytes to physical lines: byte order marks, line ends, and bytes that are no text."""

import codecs
import io
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

PIECE_BYTES: Final = 64 * 1024
DESCRIBED: Final = 1_000
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class BadBytes(NamedTuple):
    """Bytes that the encoding does not allow.

    Args:
        line: Physical line, from 1.
        offset: Position of the first of them in the file, in bytes from 0.
    """

    line: int
    offset: int
    hexadecimal: str


class Decoder:
    r"""Decodes a stream piece by piece; every line end becomes ``\n``.

    Bytes that cannot be decoded become U+FFFD and are noted in ``bad``; after the first thousand they are
    only counted, in ``uncounted``.

    Args:
        stream: UTF-8, or UTF-8 or UTF-16 with a byte order mark. Read forward only.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.encoding = "utf-8"
        self.bad: deque[BadBytes] = deque()
        self.uncounted = 0
        self.saw_nul = False
        self._described = 0
        self._line = 1
        self._offset = 0
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)

    def __iter__(self) -> Iterator[str]:
        """Yield the text in pieces of bounded size."""
        held = self._start()
        while data := self._stream.read(PIECE_BYTES):
            held = held + data
            used = yield from self._decode(held, final=False)
            held = held[used:]
        yield from self._decode(held, final=True)
        if rest := self._newlines.decode("", final=True):
            yield self._passed(rest)

    def _start(self) -> bytes:
        head = b""
        while len(head) < len(codecs.BOM_UTF8) and (data := self._stream.read(PIECE_BYTES)):
            head += data
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                self.encoding = encoding
                self._offset = len(mark)
                return head[len(mark) :]
        return head

    def _decode(self, data: bytes, *, final: bool) -> Generator[str, None, int]:
        view = memoryview(data)
        decode = codecs.utf_8_decode
        if self.encoding != "utf-8":
            decode = codecs.utf_16_le_decode if self.encoding == "utf-16-le" else codecs.utf_16_be_decode
        used = 0
        while used < len(view):
            rest = view[used:]
            try:
                text, size = decode(rest, "strict", final)
            except UnicodeDecodeError as fault:
                if self._described >= DESCRIBED:
                    text, size = decode(rest, "replace", final)
                    self.uncounted += text.count("\ufffd")
                else:
                    prefix, _ = decode(rest[: fault.start], "strict", True)
                    yield self._passed(self._newlines.decode(prefix + "\ufffd"))
                    self._note(rest[fault.start : fault.end], used + fault.start)
                    text, size = "", fault.end
            if not size:
                break
            if text:
                yield self._passed(self._newlines.decode(text))
            used += size
        self._offset += used
        return used

    def _note(self, bad: memoryview, position: int) -> None:
        self._described += 1
        self.bad.append(BadBytes(self._line, self._offset + position, bad.hex(" ")))

    def _passed(self, text: str) -> str:
        self._line += text.count("\n")
        if not self.saw_nul and "\0" in text:
            self.saw_nul = True
        return text


class Line(NamedTuple):
    """A physical line without its end.

    Args:
        number: From 1.
        cut: The line was longer than the limit; the rest is dropped.
        quotes: How many double quotes were dropped with it.
    """

    number: int
    text: str
    cut: bool = False
    quotes: int = 0


def physical_lines(pieces: Iterable[str], limit: int) -> Iterator[Line]:
    """Yield numbered lines of at most ``limit`` characters."""
    number = 1
    held: list[str] = []
    size = dropped = 0
    for piece in pieces:
        first, *others = piece.split("\n")
        size += len(first)
        if size - len(first) <= limit:
            held.append(first)
        else:
            dropped += first.count('"')
        for other in others:
            yield _line(number, held, limit, dropped)
            number += 1
            held, size, dropped = [other], len(other), 0
    if size:
        yield _line(number, held, limit, dropped)


def _line(number: int, held: list[str], limit: int, dropped: int) -> Line:
    text = held[0] if len(held) == 1 else "".join(held)
    if len(text) <= limit:
        return Line(number, text)
    return Line(number, text[:limit], cut=True, quotes=dropped + text.count('"', limit))
