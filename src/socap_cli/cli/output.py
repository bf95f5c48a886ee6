"""The program's output streams: whatever they are connected to, nobody who prints has to think of it.

- A reader that went away (`| head`) is no error: what it did not want is dropped.
- A stream that was closed (`>&-`) is as good as /dev/null.
- A full disk on stdout raises OutputFailed once, so that no command ends as if it had been heard; on stderr there
  is nobody left to tell.
- A character that the stream's encoding lacks is written as an escape.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import IO, TextIO

from socap_cli.errors import SocapError

STDIN, STDOUT, STDERR = 0, 1, 2
READER_GONE = frozenset({errno.EPIPE, errno.ECONNRESET})


class OutputFailed(SocapError):
    """Standard output could not be written."""


class _StandardStream(io.RawIOBase):
    """A file descriptor that is written to as long as it takes anything."""

    def __init__(self, descriptor: int, *, must_arrive: bool) -> None:
        self._descriptor = descriptor
        self._must_arrive = must_arrive
        self._open = True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Write all of it, or nothing more ever. Raises OutputFailed at the first failure that must be told."""
        waiting = memoryview(data).cast("B")
        size = len(waiting)
        while self._open and waiting:
            try:
                waiting = waiting[os.write(self._descriptor, waiting) :]
            except BlockingIOError:
                _wait_for_room(self._descriptor)
            except OSError as error:
                self._open = False
                if self._must_arrive and error.errno not in READER_GONE:
                    raise OutputFailed(
                        f"cannot write the output: {error.strerror}", hint="make room, or send it elsewhere"
                    ) from error
        return size

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def install() -> None:
    """Put both output streams in place of the interpreter's, before anything is printed."""
    for descriptor in (STDIN, STDOUT, STDERR):
        _occupy(descriptor)
    sys.stdout = _text(STDOUT, sys.stdout, must_arrive=True)
    sys.stderr = _text(STDERR, sys.stderr, must_arrive=False)


def flush() -> None:
    """Bring everything out. Raises OutputFailed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def takes_unicode() -> bool:
    """Whether stdout takes every character as it is. An escape that it would write is none that JSON knows."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"


def print_line(text: str) -> None:
    """A line of the result, on stdout. Raises OutputFailed."""
    write(sys.stdout, text)


def say(text: str) -> None:
    """A line of talk, on stderr."""
    write(sys.stderr, text)


def write(stream: IO[str], text: str) -> None:
    """Print a line at once."""
    stream.write(text + "\n")
    stream.flush()


def _occupy(descriptor: int) -> None:
    """Let a closed descriptor lead nowhere: the next file that is opened would get its number, and the output."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)


def _text(descriptor: int, before: TextIO | None, *, must_arrive: bool) -> TextIO:
    raw = _StandardStream(descriptor, must_arrive=must_arrive)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),  # type: ignore[type-var]  # typeshed asks for a `write` of one exact shape
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty() or not must_arrive,
    )


def _wait_for_room(descriptor: int) -> None:
    """A pipe that another program made non-blocking takes more when its reader has read."""
    import select

    select.select([], [descriptor], [])
