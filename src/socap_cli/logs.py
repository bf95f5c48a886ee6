"""Logging: every room has a logger `socap.<room>`; warnings reach stderr in one line, a file holds everything.

`-v` adds what a room reports, with time, room, run and job, `-vv` tracebacks. Secrets are masked in what the handlers
write, whatever the record came from.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from socap_cli.text import Mask, json_text

ROOT = "socap"
"""The parent of every logger of the program; libraries keep their own levels."""
FORMS = ("text", "json")
SHOWN = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
"""What reaches stderr: with -qq, by default, with -v, with -vv."""
log = logging.getLogger("socap.logs")
_job: ContextVar[str] = ContextVar("job", default="")


class Logs:
    """The handlers of one run of the program."""

    def __init__(self, run_id: str, *, verbose: int = 0, form: str = "text") -> None:
        self._run_id = run_id
        self._form = form
        self._secrets: tuple[str, ...] = ()
        self.mask = Mask(())
        detail = min(verbose, 2)
        for handler in list(logging.root.handlers):
            if isinstance(handler.formatter, _Form):  # of a run before this one in the same process
                logging.root.removeHandler(handler)
                handler.close()
        logging.getLogger(ROOT).setLevel(logging.DEBUG if detail == 2 else logging.INFO)
        self._add(_Stderr(), level=SHOWN[detail], detail=max(detail, 0))

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these from now on."""
        self._secrets = (*self._secrets, *secrets)
        self.mask = Mask(self._secrets)
        for handler in logging.root.handlers:
            if isinstance(handler.formatter, _Form):
                handler.formatter.mask = self.mask

    def write_to(self, path: Path, *, most_bytes: int, files: int) -> None:
        """Write to a file as well, tracebacks included; a full one is moved aside first. Raises OSError.

        Several processes append to it: WatchedFileHandler notices when another one moved it aside.
        """
        from logging.handlers import RotatingFileHandler  # imports sockets and pickle

        from filelock import FileLock

        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(path.parent / f".{path.name}.lock"):
            if path.is_file() and path.stat().st_size >= most_bytes:
                rotating = RotatingFileHandler(path, backupCount=files, delay=True)
                rotating.doRollover()
                rotating.close()
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        self._add(_log_file(path), level=logging.INFO, detail=2)
        self.hide(())

    def _add(self, handler: logging.Handler, *, level: int, detail: int) -> None:
        handler.setLevel(level)
        handler.setFormatter(_Form(self._run_id, self._form, detail))
        logging.root.addHandler(handler)


class _Form(logging.Formatter):
    """A record as one line or one JSON object; `detail` 1 adds time, room, run and job, 2 the traceback."""

    def __init__(self, run_id: str, form: str, detail: int) -> None:
        super().__init__()
        self.mask = Mask(())
        self._run_id = run_id
        self._as_json = form == "json"
        self._detail = detail

    def format(self, record: logging.LogRecord) -> str:
        """The text without secrets; whatever it holds, a stream of UTF-8 takes it."""
        at, level = datetime.fromtimestamp(record.created, UTC), record.levelname.lower()
        job = _job.get()
        trace = self.formatException(record.exc_info) if record.exc_info and self._detail == 2 else ""
        if self._as_json:
            row = {
                "at": at,
                "level": level,
                "logger": record.name,
                "run_id": self._run_id,
                "job_id": job or None,
            }
            row["message"] = self.mask(record.getMessage())  # each by itself: the mask cuts what is very long
            return json_text({**row, "traceback": self.mask(trace)} if trace else row)
        head = f"{level}: "
        if self._detail:
            about = f"{record.name} run={self._run_id[:12]}{f' job={job}' if job else ''}"
            head = f"{at:%Y-%m-%dT%H:%M:%SZ} {head}{about}: "
        text = head + " ".join(record.getMessage().split()) + (f"\n{trace}" if trace else "")
        return self.mask(text).encode("utf-8", "backslashreplace").decode()


def _log_file(path: Path) -> logging.Handler:
    """A file that other processes append to and move aside; when it cannot be written, that is said once."""
    from logging.handlers import WatchedFileHandler

    class LogFile(WatchedFileHandler):
        has_failed = False

        def emit(self, record: logging.LogRecord) -> None:
            try:
                super().emit(record)
            except OSError:  # the folder is gone
                self.handleError(record)

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  (the library's name)
            # The library would print the record's arguments before any secret is masked.
            if not self.has_failed:
                self.has_failed = True
                log.warning("the log %s cannot be written: %s", path, sys.exc_info()[1])

    return LogFile(path, encoding="utf-8", errors="backslashreplace")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at the moment: a live view puts its own in place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


@contextmanager
def about_job(job_id: str) -> Iterator[None]:
    """Everything that this thread logs in the block is about a job."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)
