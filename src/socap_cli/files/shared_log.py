"""The file of a log that several processes write."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TextIO

log = logging.getLogger("socap.files")


class SharedLog(WatchedFileHandler):
    """A file that several processes append to, a whole line each; whoever finds it full moves it aside."""

    def __init__(self, path: Path, *, most_bytes: int, files: int) -> None:
        self._most_bytes = most_bytes
        self._files = files
        self._complained = False
        super().__init__(path, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIO:  # type: ignore[override]
        return open(self.baseFilename, "a", encoding=self.encoding, errors=self.errors, opener=_private)

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record, to a new file when the old one is full. What cannot be written costs nobody's work."""
        with suppress(OSError):
            self._move_aside()
        try:
            super().emit(record)
        except OSError:  # opening the file anew, when its folder went away
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  (the library's name)
        """Say once why. The library would print the record's arguments, before any secret is masked."""
        if not self._complained:
            self._complained = True
            log.warning("the log %s cannot be written: %s", self.baseFilename, sys.exc_info()[1])

    def _move_aside(self) -> None:
        path = Path(self.baseFilename)
        if not _is_full(path, self._most_bytes):
            return
        with (path.parent / f".{path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_full(path, self._most_bytes):  # another process did it meanwhile
                return
            for number in range(self._files, 0, -1):
                older = path.with_name(f"{path.name}.{number}")
                newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
                with suppress(FileNotFoundError):
                    newer.replace(older)


def _is_full(path: Path, most_bytes: int) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_size >= most_bytes
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
