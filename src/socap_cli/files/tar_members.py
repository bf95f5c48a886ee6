"""The plain files in a compressed tar, read as a stream and trusted in nothing.

Python's own reader takes a damaged header for the end, reads a header's extension of any size into memory, and
stops before the checksum of the compression.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from socap_cli.errors import NotABackup

BLOCK = 512
LARGEST_TEXT = 16 * 1024**2
"""Bytes."""
LONGEST_PADDING = 1024**2
CHUNK = 1024**2


@contextmanager
def members(stream: BinaryIO) -> Iterator[Iterator[tuple[str, Member]]]:
    """Yield the members of a tar.gz with their names; each is read before the next.

    Raises NotABackup for what is no such file, is damaged or cut, or goes on after its end.
    """
    with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
        try:
            yield _members(unpacked)
        except gzip.BadGzipFile:
            raise NotABackup("it is no .tar.gz, or its compressed data are damaged") from None
        except (EOFError, zlib.error) as error:
            raise NotABackup(f"its compressed data are damaged: {error}") from None


def _members(stream: gzip.GzipFile) -> Iterator[tuple[str, Member]]:
    long_name = None
    while (header := _header(stream)) is not None:
        member = Member(stream, header.size)
        if header.type == tarfile.GNUTYPE_LONGNAME:
            long_name = member.text().rstrip(b"\0").decode("utf-8", "replace")
        elif header.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            yield long_name or header.name, member
            long_name = None
        else:
            raise NotABackup(f"{header.name[:80]!r} is no plain file")
        member.finish()
    _expect_end(stream)


def _header(stream: gzip.GzipFile) -> tarfile.TarInfo | None:
    """The next header; None at the end."""
    block = _exactly(stream, BLOCK)
    if not any(block):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except (tarfile.TarError, ValueError) as error:
        raise NotABackup(f"it is no tar archive, or damaged: {error}") from None


def _expect_end(stream: gzip.GzipFile) -> None:
    padding = 0
    while chunk := stream.read(CHUNK):
        padding += len(chunk)
        if any(chunk) or padding > LONGEST_PADDING:
            raise NotABackup("something follows its end")


class Member:
    """One file in the tar stream, and the checksum of what was read of it."""

    def __init__(self, stream: gzip.GzipFile, size: int) -> None:
        if size < 0:
            raise NotABackup("a file in it has a size below nothing")
        self._stream = stream
        self._left = size
        self.size = size
        self._sum = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """So many bytes. Raises NotABackup when there are not as many."""
        if size > self._left:
            raise NotABackup("a document goes on after its file")
        data = _exactly(self._stream, size)
        self._left -= size
        self._sum.update(data)
        return data

    def text(self) -> bytes:
        """All of it. Raises NotABackup when that is too much for a text."""
        if self.size > LARGEST_TEXT:
            raise NotABackup("a text in it is too long")
        return self.read(self._left)

    @property
    def left(self) -> int:
        """Bytes that are still to be read."""
        return self._left

    def finish(self) -> None:
        """Go to the next header. Raises NotABackup when something was left unread."""
        if self._left:
            raise NotABackup("a file in it is longer than it should be")
        _exactly(self._stream, -self.size % BLOCK)

    @property
    def sha256(self) -> str:
        """Of all that was read, in hexadecimal."""
        return self._sum.hexdigest()


def _exactly(stream: gzip.GzipFile, size: int) -> bytes:
    parts = []
    while size:
        part = stream.read(min(size, CHUNK))
        if not part:
            raise NotABackup("it is cut off")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
