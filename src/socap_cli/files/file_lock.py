"""Locks between processes of one host: a file of the data folder, locked as long as its holder lives."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EXCLUSIVE, SHARED = fcntl.LOCK_EX, fcntl.LOCK_SH


@contextmanager
def locked(path: Path, kind: int, *, patience: float) -> Iterator[str | None]:
    """Hold the lock for the block; yield None, or who holds it when so many seconds did not suffice.

    Raises OSError when the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _take(descriptor, kind, patience):
            yield _holder(descriptor)
            return
        if kind == EXCLUSIVE:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield None
    finally:
        os.close(descriptor)


def _take(descriptor: int, kind: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


def _holder(descriptor: int) -> str:
    with suppress(OSError):
        if pid := os.pread(descriptor, 20, 0).decode("ascii", "replace").strip():
            return f"pid {pid}"
    return "pid unknown"
