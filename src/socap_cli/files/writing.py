"""Write a file for people: whole or not at all, whatever stands under its name.

A plain file is written beside its place and renamed, so that a reader sees the old one or the new one, and a full
disk or a kill leaves the old one. A symbolic link stays a link, and the file that it names is replaced. What is no
plain file (a named pipe, a device, `-` for stdout) is written to as it is. Everything that fails is one SocapError.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from socap_cli.errors import SocapError
from socap_cli.files.reading import STDIN, printable

STDOUT = STDIN
"""`-` names either stream."""
ABANDONED = 60.0
"""Seconds after which an unfinished file that nobody has locked was left by a process that was killed."""
HINTS = {
    errno.EACCES: "let this user write there, or name another place",
    errno.EPERM: "let this user write there, or name another place",
    errno.EROFS: "name a place that can be written to",
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "a part of its path is a file",
    errno.EISDIR: "name a file in it",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "make room",
    errno.EPIPE: "its reader went away",
}


@contextmanager
def writing(target: str | Path, *, mode: int | None = None, follow: bool = True) -> Iterator[BinaryIO]:
    """Yield a stream into the file `target`, which appears when the block ends well.

    `mode` is the new file's; without one an old file's is kept, and a new one gets the usual. A link is replaced
    itself when it is not to be followed. Raises SocapError when the file cannot be written; what the block raises
    passes through, and nothing is changed.
    """
    name = printable(str(target))[:200]
    if str(target) == STDOUT:
        with _to_stdout() as stream:
            yield stream
        return
    with _errors_of(name):
        place, there = _find(Path(target), follow=follow)
    if there is None or not follow or stat.S_ISREG(there.st_mode):
        with _beside(place, name, there, mode) as stream:
            yield stream
    else:
        with _into(place, name) as stream:
            yield stream


def write_file(target: str | Path, content: bytes, *, mode: int | None = None, follow: bool = True) -> None:
    """Write these bytes as a file. Raises SocapError."""
    with writing(target, mode=mode, follow=follow) as stream:
        stream.write(content)


def replace_if_changed(path: Path, content: bytes, *, mode: int) -> bool:
    """Write a file of a folder of ours; True when it held these bytes already. A link there is never followed."""
    if holds(path, content):
        return True
    write_file(path, content, mode=mode, follow=False)
    return False


def holds(path: Path, content: bytes) -> bool:
    """Whether a file has these bytes."""
    with suppress(OSError):
        return path.is_file() and path.read_bytes() == content
    return False


class _Stream(io.RawIOBase):
    """A descriptor whose errors are told with the file's name. What was given up takes nothing more."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name
        self.given_up = False

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        waiting = memoryview(data).cast("B")
        with _errors_of(self._name):
            while waiting and not self.given_up:
                waiting = waiting[os.write(self._descriptor, waiting) :]
        return len(data)

    def writable(self) -> bool:
        return True


@contextmanager
def _buffered(descriptor: int, name: str) -> Iterator[BinaryIO]:
    raw = _Stream(descriptor, name)
    stream = io.BufferedWriter(raw, 1 << 16)  # type: ignore[type-var]  # typeshed asks for one exact `write`
    try:
        yield stream
        stream.flush()
    finally:
        raw.given_up = True


@contextmanager
def _to_stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise SocapError("cannot write to stdout: it is closed", hint="name a file")
    sys.stdout.flush()
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def _into(place: Path, name: str) -> Iterator[BinaryIO]:
    """What is no plain file. A pipe waits for its reader, as it does for every program."""
    with _errors_of(name):
        descriptor = os.open(place, os.O_WRONLY | os.O_NOCTTY)
    try:
        with _buffered(descriptor, name) as stream:
            yield stream
    finally:
        os.close(descriptor)


@contextmanager
def _beside(place: Path, name: str, there: os.stat_result | None, mode: int | None) -> Iterator[BinaryIO]:
    with _errors_of(name):
        descriptor, beside = _unfinished(place)
    try:
        with _buffered(descriptor, name) as stream:
            yield stream
        with _errors_of(name):
            _dress(descriptor, there, mode)
            os.fsync(descriptor)
            beside.replace(place)
            _sync_folder(place.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _find(target: Path, *, follow: bool) -> tuple[Path, os.stat_result | None]:
    """Where to write, and what stands there; None for nothing. Raises OSError for a name that cannot be."""
    try:
        there = target.stat() if follow else target.lstat()
    except FileNotFoundError:
        there = None
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    plain = there is None or stat.S_ISREG(there.st_mode)
    return Path(os.path.realpath(target)) if follow and plain else target, there


def _dress(descriptor: int, there: os.stat_result | None, mode: int | None) -> None:
    """Give the new file the mode that was asked for, or the old one's mode and, where one may, its owner."""
    if there is not None and stat.S_ISREG(there.st_mode):
        with suppress(OSError):
            os.fchown(descriptor, there.st_uid, there.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode) if mode is None else mode)
    else:
        os.fchmod(descriptor, 0o666 & ~_umask() if mode is None else mode)


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _unfinished(place: Path) -> tuple[int, Path]:
    """A new file beside this one, locked while it is written; one that a killed process left is taken away.

    Its name is always the same, so that no more than one is ever left, unless two write at once.
    """
    start = f".{os.fsencode(place.name)[:100].decode('utf-8', 'ignore')}."
    usual = place.with_name(f"{start}part")
    with suppress(OSError):
        _remove_if_abandoned(usual)
    try:
        descriptor, path = os.open(usual, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), usual
    except FileExistsError:
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=start, suffix=".part")
        path = Path(name)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor, path


def _remove_if_abandoned(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.time() - os.fstat(descriptor).st_mtime > ABANDONED:
            path.unlink()
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the rename to the disk, where the file system takes that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        raise SocapError(f"cannot write {name}: {said}", hint=HINTS.get(error.errno or 0)) from error
    except ValueError as error:  # a NUL, or half a character, in the name
        raise SocapError(f"cannot write {name}: no file can be called so", hint="name another") from error
