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
from typing import IO, Any, TextIO

from socap_cli.errors import SocapError

STDIN, STDOUT, STDERR = 0, 1, 2
READER_GONE = frozenset({errno.EPIPE, errno.ECONNRESET})


class OutputFailed(SocapError):
    """Standard output could not be written."""


class _StandardStream(io.FileIO):
    """Leads nowhere after the first failure. Raises OutputFailed for one that must be reported."""

    def __init__(self, descriptor: int, *, must_arrive: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._must_arrive = must_arrive

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            _lead_nowhere(self.fileno())
            if self._must_arrive and error.errno not in READER_GONE:
                raise OutputFailed(
                    f"cannot write the output: {error.strerror}", hint="make room, or send it elsewhere"
                ) from error
        return len(data)


def install() -> None:
    """Put both output streams in place of the interpreter's, before anything is printed."""
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.set_blocking(descriptor, True)  # another program may have made the pipe non-blocking
        except OSError:  # closed: the next file that is opened would get its number, and the output
            _lead_nowhere(descriptor)
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


def _lead_nowhere(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _text(descriptor: int, before: TextIO | None, *, must_arrive: bool) -> TextIO:
    raw = _StandardStream(descriptor, must_arrive=must_arrive)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty() or not must_arrive,
    )
