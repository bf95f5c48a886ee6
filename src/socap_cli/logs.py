"""Logging: where records go, what each of them carries, and what never stands in one.

Every room has a logger of its own, `socap.<room>`. Warnings and errors reach stderr in one line each; `-v` adds what
a room says of its work, with time, room, run and job, `-vv` everything and the tracebacks. A file below the data
folder holds both, when the configuration asks for one. Secrets are masked in what the handlers write, whatever the
record came from.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from socap_cli.json_text import json_text
from socap_cli.network.masking import Mask

FORMS = ("text", "json")
ROOT = "socap"
SHOWN = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
"""What reaches stderr: with -qq, by default, with -v, with -vv."""
_job: ContextVar[str] = ContextVar("job", default="")


@contextmanager
def about_job(job_id: str) -> Iterator[None]:
    """Everything that this thread logs in the block is about a job."""
    token = _job.set(job_id)
    try:
        yield
    finally:
        _job.reset(token)


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
        from socap_cli.files.shared_log import SharedLog  # the handlers of files bring pickles and sockets

        handler = SharedLog(path, most_bytes=most_bytes, files=files)
        self._add(handler, level=logging.INFO, form=self._form, detail=2)
        self.hide(())

    def _add(self, handler: logging.Handler, *, level: int, form: str, detail: int) -> None:
        handler.setLevel(level)
        handler.setFormatter(_Form(self._run_id, form, detail))
        handler.addFilter(_with_job)
        self._handlers.append(handler)
        logging.root.addHandler(handler)


def _with_job(record: logging.LogRecord) -> bool:
    record.job_id = _job.get()
    return True


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


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # a record that cannot be put into words is told as it is
        return f"{record.msg!r} ({type(error).__name__})"


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at the moment: a live view puts its own in place."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr
