"""One run of the program: its global options, its output and the streams it goes to.

A reader that went away (`| head`) is no error. A closed stream (`>&-`) is as good as /dev/null. A full disk on stdout
raises OutputFailed once; on stderr nobody is left to read it. A character that the encoding lacks becomes an escape.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from socap_cli.errors import MissingValue, SocapError, UsageError
from socap_cli.files import write_file
from socap_cli.logs import FORMS, Logs
from socap_cli.text import json_text

if TYPE_CHECKING:
    from socap_cli.bootstrap import Bootstrap

log = logging.getLogger("socap.cli")

PARTLY_DONE, BUG, INTERRUPTED = 4, 3, 130
STDIN, STDOUT, STDERR = 0, 1, 2
READER_GONE = frozenset({errno.EPIPE, errno.ECONNRESET})
FLAGS = {"--json": "json", "--exit-zero": "exit_zero"}
VALUES: dict[str, tuple[str, Callable[[str], object]]] = {
    "--config": ("config", Path),
    "--data-dir": ("data_dir", Path),
    "--log-format": ("log_format", str),
}
COUNTED = {"quiet": re.compile("--quiet|-(q+)"), "verbose": re.compile("--verbose|-(v+)")}
"""Given once or twice: -q, -qq."""
DRY_RUN = "--dry-run"
LOG = Path("logs") / "socap.log"
"""Below the data folder."""
FONTS = "matplotlib"
"""Its list of fonts, below the data folder: a scheduler's user often has no home that can be written."""
MEGABYTE = 1_000_000
FILE, LOCK, LOCK_PATIENCE = "troubles.json", "troubles.lock", 2.0
AGAIN_AFTER = timedelta(hours=23)
"""So that what runs once a day, a little earlier or later, reports a problem each time."""
OVER_AFTER = timedelta(hours=6)
"""A problem that did not occur for so long is new. Not at once: between two retries nothing fails."""
STOPPED_WITHIN = 3.6
"""Seconds after a signal."""


@dataclass
class Run:
    """What the command line said that holds for every command, and what the run has to tell."""

    json: bool = False
    quiet: int = 0
    """How often -q was given: 2 tells a trouble that goes on once a day."""
    verbose: int = 0
    """How often -v was given: 2 shows everything that is logged, with tracebacks."""
    log_format: str = "text"
    exit_zero: bool = False
    config: Path | None = None
    data_dir: Path | None = None
    command: str = ""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    result: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    exit_code: int = 0
    logs: Logs | None = None
    started: float = field(default_factory=time.monotonic)
    at_end: list[Callable[[int], object]] = field(default_factory=list)
    """Called once with the exit code, when the outcome was told."""
    place: Path | None = None
    """The data folder, once the settings are read."""
    is_stopping: bool = False
    """A signal asked for a stop."""
    _shown: Callable[[], object] | None = None
    """What waits to be shown until it is known whether it tells anything new."""

    def now(self) -> datetime:
        """The time by this host's clock."""
        return datetime.now(UTC)

    def second(self) -> datetime:
        """The time in whole seconds, as campaigns and people are stored."""
        return self.now().replace(microsecond=0)

    def log(self) -> None:
        """Set logging up as the command line asks. Raises UsageError."""
        if self.log_format not in FORMS:
            raise UsageError(f"no log format {self.log_format!r}", hint=f"--log-format {' or '.join(FORMS)}")
        detail = self.verbose or (-1 if self.quiet > 1 else 0)  # what a run comes to tells its troubles
        self.logs = Logs(self.run_id, verbose=detail, form=self.log_format)
        log.debug("socap %s", self.command)

    def done(
        self,
        result: dict[str, Any],
        *,
        text: str | Callable[[], object] = "",
        warnings: Sequence[str] = (),
        exit_code: int = 0,
    ) -> None:
        """Keep a command's result, and show it to a person. `text` is a line, or draws something itself."""
        self.result = result
        self.warnings.extend(warnings)
        self.exit_code = exit_code
        if self.json or (self.quiet and exit_code == 0):
            return
        show = text if callable(text) else partial(print_line, text) if text else None
        if self.quiet > 1:
            self._shown = show
        elif show:
            show()

    def print(self, text: str) -> None:
        """Print for a person, on stdout."""
        if not self.json and not (self.quiet and self.exit_code == 0):
            print_line(text)

    def info(self, text: str) -> None:
        """Talk to a person, on stderr."""
        if not self.quiet and not self.json:
            say(text)

    def finish(self, error: SocapError | None = None) -> int:
        """Tell the outcome and return the exit code. Output that cannot be written is an outcome itself."""
        try:
            self._tell(error)
        except OutputFailed as failed:
            error = error or failed
            say(_error_line(error))
        self.end(error)
        return 0 if self.exit_zero else self.code(error)

    def end(self, error: SocapError | None = None) -> None:
        """Report the exit code to whoever waits for it, once."""
        while self.at_end:
            self.at_end.pop()(self.code(error))

    def _tell(self, error: SocapError | None) -> None:
        """To a program everything in the one object, to a person on stderr; nobody is told anything twice."""
        if self.json:
            envelope = self._envelope(error, self.code(error))
            print_line(json_text(envelope, ascii_only=not takes_unicode()))
            return
        lines = [f"warning: {one_line(warning)}" for warning in self.warnings]
        if error is not None:
            lines.append(_error_line(error))
        if self.quiet > 1:
            lines = self._new(lines, self.code(error))
        for line in lines:
            say(line)

    def _new(self, lines: list[str], code: int) -> list[str]:
        """The lines that are new today. The command's own output comes with them, or with a failure without lines."""
        folder = self.folder()
        new = new_lines(folder, lines, self.now()) if folder else lines
        if self._shown and (new or (code and not lines)):
            self._shown()
            flush()
        return new

    def folder(self) -> Path | None:
        """The data folder, also where no settings could be read."""
        from socap_cli.settings import default_data_dir

        given = self.place or self.data_dir or os.environ.get("SOCAP_DATA_DIR")
        try:
            return Path(given).expanduser() if given else default_data_dir()
        except (SocapError, RuntimeError):
            return None

    def code(self, error: SocapError | None) -> int:
        return error.exit_code if error else self.exit_code

    def _envelope(self, error: SocapError | None, code: int) -> dict[str, Any]:
        return {
            "ok": code in (0, PARTLY_DONE),
            "partial": code == PARTLY_DONE,
            "command": self.command,
            "run_id": self.run_id,
            "exit_code": code,
            "result": self.result,
            "warnings": self.warnings,
            "error": None
            if error is None
            else {"type": type(error).__name__, "message": error.message, "hint": error.hint},
        }


def split_global_options(run: Run, arguments: Sequence[str]) -> list[str]:
    """Move the global options of a command line into the run, wherever they stand; return the command's own words.

    `--dry-run` is an option of each command that writes: before the command's name it is moved behind it. An option
    is no other one's value. Raises MissingValue.
    """
    split = list(arguments).index("--") if "--" in arguments else len(arguments)
    before, behind = arguments[:split], list(arguments[split:])
    run.json = "--json" in before  # known first: whatever is wrong is reported in this form
    rest: list[str] = []
    moved: list[str] = []
    words = iter(before)
    for word in words:
        name, mark, value = word.partition("=")
        if word in FLAGS:
            setattr(run, FLAGS[word], True)
        elif counted := next((name for name, form in COUNTED.items() if form.fullmatch(word)), None):
            setattr(run, counted, getattr(run, counted) + (1 if word.startswith("--") else len(word) - 1))
        elif name in VALUES:
            given = value if mark else next(words, "")
            if not given or _is_global(given):
                raise MissingValue(f"option {name} needs a value")
            attribute, kind = VALUES[name]
            setattr(run, attribute, kind(given))
        elif word == DRY_RUN and not rest:
            moved.append(word)
        else:
            rest.append(word)
    run.command = " ".join(word for word in rest[:2] if not word.startswith("-"))
    return [*rest, *moved, *behind]


def _is_global(word: str) -> bool:
    forms = COUNTED.values()
    return word in FLAGS or word.partition("=")[0] in VALUES or any(form.fullmatch(word) for form in forms)


def _error_line(error: SocapError) -> str:
    hint = f" – {one_line(error.hint)}" if error.hint else ""
    return f"error: {one_line(error.message)}{hint}"


def one_line(text: str) -> str:
    """A message as one line, without control characters that a stranger's text may hold."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def bootstrap(run: Run) -> Bootstrap:
    """What builds things from the settings that this run names; its log hides their secrets. Raises ConfigError."""
    from socap_cli.bootstrap import Bootstrap
    from socap_cli.settings import load, texts_to_mask

    configuration = load(run.config, data_dir=run.data_dir)
    settings = configuration.settings
    run.place = settings.data_dir
    os.environ.setdefault("MPLCONFIGDIR", str(settings.data_dir / FONTS))
    if run.logs is not None:
        run.logs.hide(texts_to_mask(settings))
        if settings.logging.file:
            path, most_bytes = settings.data_dir / LOG, int(settings.logging.megabytes * MEGABYTE)
            try:
                run.logs.write_to(path, most_bytes=most_bytes, files=settings.logging.files)
            except OSError as error:
                run.warnings.append(f"no log in {path}: {error.strerror or error}")
    if (address := settings.pings.address_of(run.command)) and not run.at_end:
        from socap_cli.pings import Ping  # HTTP, for nothing else

        ping = Ping(address, run.run_id, timeout=settings.pings.timeout)
        ping.started()
        run.at_end.append(ping.ended)
    return Bootstrap(configuration, inform=run.info, warn=run.warnings.append)


def new_lines(folder: Path, lines: Sequence[str], now: datetime) -> list[str]:
    """The lines that were not printed within the last day; they count as printed from now on."""
    if not lines:
        return []
    from filelock import FileLock  # only with -qq

    new = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=LOCK_PATIENCE):
            known = _printed(folder / FILE, now)
            for line in lines:
                key = re.sub(r"\d+", "#", line.partition(" – ")[0])  # without its figures and the hint
                if key not in known:
                    new.append(line)
                known[key] = (known[key][0] if key in known else now, now)
            write_file(folder / FILE, json_text(known, indent=2).encode(), mode=0o600, follow=False)
    except (OSError, SocapError):
        return list(lines)
    return new


def _printed(path: Path, now: datetime) -> dict[str, tuple[datetime, datetime]]:
    """When each recent line was printed last, and when it occurred last."""
    known = {}
    try:
        for key, times in json.loads(path.read_bytes()).items():
            printed, occurred = map(datetime.fromisoformat, times)
            if timedelta(0) <= now - printed < AGAIN_AFTER and now - occurred < OVER_AFTER:
                known[key] = (printed, occurred)
    except (FileNotFoundError, ValueError, TypeError, AttributeError, OverflowError):
        return {}  # not there, or not one of ours
    return known


@contextmanager
def stopping(run: Run, stop: threading.Event, overdue_error: SocapError) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks for a stop, a second SIGINT ends at once.

    What has not stopped in time is left to its leases, and told by `overdue_error`.
    """

    def give_up() -> None:
        os._exit(run.finish(overdue_error))

    overdue = threading.Timer(STOPPED_WITHIN, give_up)
    overdue.daemon = True

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            if number == signal.SIGINT:
                os._exit(INTERRUPTED)
            return
        run.is_stopping = True
        stop.set()
        overdue.start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        overdue.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


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


def install_streams() -> None:
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
