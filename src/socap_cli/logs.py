"""Logging: where records go, what each of them carries, and what never stands in one.

Every room has a logger of its own, `socap.<room>`. Warnings and errors reach stderr in one line each; `-v` adds what
a room says of its work, with time, room, run and job, `-vv` everything and the tracebacks. A file below the data
folder holds both, when the configuration asks for one. Secrets are masked in what the handlers write, whatever the
record came from.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TextIO

from socap_cli.text import Mask, json_text

FORMS = ("text", "json")


ROOT = "socap"


SHOWN = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
"""What reaches stderr: with -qq, by default, with -v, with -vv."""


_job: ContextVar[str] = ContextVar("job", default="")


class Logs:
    """The handlers of one run of the program."""

    def __init__(self, run_id: str, *, verbose: int = 0, form: str = "text") -> None:
        self._run_id = run_id
        self._form = form
        self._secrets: tuple[str, ...] = ()
        self.mask = Mask(())
        detail = min(verbose, 2)
        self._handlers: list[logging.Handler] = []
        for handler in list(logging.root.handlers):
            if isinstance(handler.formatter, _Form):  # of a run before this one in the same process
                logging.root.removeHandler(handler)
                handler.close()
        logging.getLogger(ROOT).setLevel(logging.DEBUG if detail == 2 else logging.INFO)
        self._add(_Stderr(), level=SHOWN[detail], form=form, detail=max(detail, 0))

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these from now on, as they are and as they may be escaped."""
        self._secrets = (*self._secrets, *secrets)
        self.mask = Mask(self._secrets)
        for handler in self._handlers:
            assert isinstance(handler.formatter, _Form)
            handler.formatter.mask = self.mask

    def write_to(self, path: Path, *, most_bytes: int, files: int) -> None:
        """Write to a file as well, tracebacks included, and keep so many old ones. Raises OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # FOLD  # the handlers of files bring pickles and sockets

        handler = SharedLog(path, most_bytes=most_bytes, files=files)
        self._add(handler, level=logging.INFO, form=self._form, detail=2)
        self.hide(())

    def _add(self, handler: logging.Handler, *, level: int, form: str, detail: int) -> None:
        handler.setLevel(level)
        handler.setFormatter(_Form(self._run_id, form, detail))
        handler.addFilter(_with_job)
        self._handlers.append(handler)
        logging.root.addHandler(handler)


class _Form(logging.Formatter):
    """A record as one line, or as one object; the traceback below it where it is wanted."""

    def __init__(self, run_id: str, form: str, detail: int) -> None:
        super().__init__()
        self.mask = Mask(())
        self._run_id = run_id
        self._as_json = form == "json"
        self._detail = detail

    def format(self, record: logging.LogRecord) -> str:
        """The text without secrets; whatever it holds, a stream of UTF-8 takes it."""
        shown = self._object(record) if self._as_json else self.mask(self._line(record))
        return shown.encode("utf-8", "backslashreplace").decode()

    def _object(self, record: logging.LogRecord) -> str:
        row = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "run_id": self._run_id,
            "job_id": getattr(record, "job_id", "") or None,
            "message": self.mask(_message(record)),  # each by itself: the mask cuts what is very long
        }
        trace = self.mask(self._traceback(record))
        return json_text({**row, "traceback": trace} if trace else row)

    def _line(self, record: logging.LogRecord) -> str:
        head = f"{record.levelname.lower()}: "
        if self._detail:
            job = getattr(record, "job_id", "")
            about = f"{record.name} run={self._run_id[:12]}{f' job={job}' if job else ''}"
            head = f"{_moment(record):%Y-%m-%dT%H:%M:%SZ} {head}{about}: "
        trace = self._traceback(record)
        return head + " ".join(_message(record).split()) + (f"\n{trace}" if trace else "")

    def _traceback(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info and self._detail == 2 else ""


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at the moment: a live view puts its own in place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


log = logging.getLogger("socap.logs")


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


@contextmanager
def about_job(job_id: str) -> Iterator[None]:
    """Everything that this thread logs in the block is about a job."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


def _with_job(record: logging.LogRecord) -> bool:
    record.job_id = _job.get()
    return True


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # a record that cannot be put into words is told as it is
        return f"{record.msg!r} ({type(error).__name__})"


def _is_full(path: Path, most_bytes: int) -> bool:
    with suppress(FileNotFoundError):
        return path.stat().st_size >= most_bytes
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
