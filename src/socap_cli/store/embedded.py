"""The embedded `mongod`: started on demand by whichever command comes first, reached by a unix socket only."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)
from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_fixed

from socap_cli.errors import MongodFailed, NoMongod, StoreError
from socap_cli.files import EXCLUSIVE, SHARED, locked

SOCKET_LIMIT = 107
"""Bytes in a unix socket's path, on Linux."""


SAFE_PATH = re.compile(r"[\w./ +~=-]+")
"""A comma parts addresses for the server, colons and brackets mean something to the driver."""


SHORT_FOLDER = Path("/tmp")  # noqa: S108  (a folder of mode 0700 in it, and checked to be ours)


LARGEST_LOG = 10 * 1024**2
"""Bytes; then a log is put aside, in the place of the one before."""


START_PATIENCE = 10.0
"""Seconds for which a server that is still leaving is waited for."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Where an embedded database lives. Nothing is started by making one."""

    data_dir: Path
    lock_patience: float = 60.0
    """Seconds for which another process may be starting or stopping it."""
    users_patience: float = 10.0
    """Seconds for which a stop waits for commands that are using it."""

    @property
    def db_path(self) -> Path:
        """The server's own files."""
        return self._folder / "db"

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self._folder / "mongod.log"

    @property
    def pid_path(self) -> Path:
        """Where the server notes its process id."""
        return self._folder / "mongod.pid"

    @property
    def socket_path(self) -> Path:
        """In the data folder, or in a folder of a short name when that path is none for a socket.

        No variable has a say: a shell and a scheduler, with other ones, must find the same server.
        """
        near = self._folder / "run" / "mongod.sock"
        longest = near.parent / "mongodb-27017.sock"
        if len(os.fsencode(longest)) <= SOCKET_LIMIT and SAFE_PATH.fullmatch(str(near)):
            return near
        mark = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:12]
        return SHORT_FOLDER / f"socap-{os.getuid()}-{mark}" / "mongod.sock"

    @property
    def uri(self) -> str:
        """How a client reaches it."""
        return f"mongodb://{quote_plus(str(self.socket_path))}/"

    @property
    def _folder(self) -> Path:
        """The same for every spelling and link."""
        return Path(os.path.realpath(self.data_dir))

    def pid(self) -> int | None:
        """The running server's process id; None when it is down, or when another folder's server has that id."""
        try:
            pid = int(self.pid_path.read_text("ascii").strip())
        except (OSError, ValueError):
            return None
        return pid if 1 < pid < 2**31 and serves(pid, self.db_path) else None

    def is_up(self) -> bool:
        """Whether it runs and can be reached from here."""
        with suppress(OSError):
            return self.pid() is not None and self.socket_path.is_socket()
        return False

    def start(self, *, patience: float = START_PATIENCE) -> bool:
        """Start the server unless it runs; two callers at once start one. True when this call started it.

        Raises NoMongod, and StoreError with the server's own reason.
        """
        if self.is_up():
            self._rotate_log()
            return False
        binary = find_mongod()
        _private_folder(self._folder)
        with self._lock():
            if self.is_up():
                return False
            self._expect_reachable()
            for folder in (self.db_path, self.socket_path.parent):
                _private_folder(folder)
            self._clear_sockets()
            self._put_log_aside()
            retrying = Retrying(
                retry=retry_if_exception(lambda error: isinstance(error, MongodFailed) and error.in_use),
                stop=stop_after_delay(patience),
                wait=wait_fixed(0.25),
                reraise=True,
            )
            retrying(launch, binary, Places(self.db_path, self.log_path, self.pid_path, self.socket_path))
        return True

    def stop(self, *, patience: float = 20.0) -> bool:
        """Shut the server down cleanly. False when none ran. Commands that use it are waited for, some seconds."""
        if self.pid() is None:
            return False
        with self._users(EXCLUSIVE, self.users_patience), self._lock():
            pid = self.pid()
            if pid is None:
                return False
            os.kill(pid, signal.SIGTERM)
            waiting = Retrying(
                stop=stop_after_delay(patience),
                wait=wait_fixed(0.05),
                retry=retry_if_result(lambda alive: alive is not None),
                retry_error_callback=lambda _: pid,
            )
            if waiting(self.pid) is not None:
                raise StoreError(
                    f"mongod (pid {pid}) did not stop within {patience:g} s", hint=f"see {self.log_path}"
                )
        return True

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """For the length of a command: a stop waits for it, and it waits for a stop to end."""
        with suppress(StoreError):
            _private_folder(self._folder)
        with self._users(SHARED, self.lock_patience):
            yield

    @contextmanager
    def _users(self, kind: int, patience: float) -> Iterator[None]:
        """Whoever waited long enough goes on all the same; where no lock can be kept, nobody waits."""
        with ExitStack() as stack:
            with suppress(OSError):
                stack.enter_context(locked(self._folder / "users.lock", kind, patience=patience))
            yield

    @contextmanager
    def _lock(self, *, wait: bool = True) -> Iterator[None]:
        """Start and stop exclude each other. Raises StoreError, with the holder that does not let go."""
        patience = self.lock_patience if wait else 0.0
        path = self._folder / "mongod.lock"
        with ExitStack() as stack:
            try:
                holder = stack.enter_context(locked(path, EXCLUSIVE, patience=patience))
            except OSError as error:
                raise StoreError(
                    f"cannot use {path}: {error.strerror}", hint="mend its mode, or name another --data-dir"
                ) from error
            if holder is not None:
                raise StoreError(
                    f"another process ({holder}) has been starting or stopping this database for {patience:g} s",
                    hint="look at it, and end it if it is stuck",
                )
            yield

    def _expect_reachable(self) -> None:
        """A server that runs without its socket is another one's, or has lost it. Raises StoreError."""
        if (pid := self.pid()) is not None:
            raise StoreError(
                f"mongod (pid {pid}) runs, and its socket {self.socket_path} cannot be seen from here",
                hint="if it was taken away: socap db stop; a service with a /tmp of its own needs a shorter --data-dir",
            )

    def _clear_sockets(self) -> None:
        for stale in self.socket_path.parent.glob("*.sock"):
            try:
                stale.unlink()
            except OSError as error:
                raise StoreError(f"cannot remove {stale}: {error.strerror}", hint="remove it") from error

    def _put_log_aside(self) -> bool:
        """Rename a log that has grown large; True when it was. The one before it goes."""
        with suppress(OSError):
            if self.log_path.stat().st_size > LARGEST_LOG:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))
                return True
        return False

    def _rotate_log(self) -> None:
        """Let a running server begin a new log when the old one is large. Whoever is second has nothing to do."""
        with suppress(OSError, StoreError):
            if self.log_path.stat().st_size > LARGEST_LOG:
                with self._lock(wait=False):
                    pid = self.pid()
                    if pid is not None and self._put_log_aside():
                        os.kill(pid, signal.SIGUSR1)


WAYS_OUT = (
    "three ways out: set MONGODB_URI to a MongoDB you have; pip install 'socap[embedded]' (Linux x86_64); "
    "or put a mongod on the PATH"
)


OPEN_FILES = 64_000
"""A connection costs a file and a collection several; the usual limit of 1024 ends at some 450 connections."""


LOW_DISK = 64 * 1024**2


TAIL = 256 * 1024
"""Bytes of the log that are searched for a reason."""


BOILERPLATE = ("about to fork", "forked process", "ERROR: child process failed", "To see additional", "try '")


IN_USE = ("DBPathInUse", "AddressInUse", "Address already in use")
"""The one before is not quite gone: the same may work a moment later."""


@dataclass(frozen=True, slots=True)
class Places:
    """Files and folders of one server, all absolute."""

    database: Path
    log: Path
    pid: Path
    socket: Path


LAST_START = 5.0
"""Seconds."""


class Restarter(ServerHeartbeatListener):
    """Listens to the driver's heartbeats, and starts the server again whenever one fails."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start
        self._starting = threading.Lock()
        self._closed = False
        self.failure: StoreError | None = None
        """Why the server did not start when it was tried last."""

    def close(self) -> None:
        """From now on the server is left alone. A start that is under way ends first, if it ends soon."""
        self._closed = True
        if self._starting.acquire(timeout=LAST_START):
            self._starting.release()

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:  # noqa: ARG002  (the driver's names)
        """The server does not answer. It is started in a thread, as the driver's own may not be kept."""
        if not self._closed:
            threading.Thread(target=self._restart, name="restart", daemon=True).start()

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:  # noqa: ARG002
        """It answers."""
        self.failure = None

    def _restart(self) -> None:
        """One start at a time; one that fails is tried again at the next heartbeat."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self._closed:
                self._start()
        except StoreError as error:
            self.failure = error
        finally:
            self._starting.release()


def _private_folder(path: Path) -> None:
    """Make a folder that is ours alone. Raises StoreError for one that is another user's."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        there = path.lstat()
        if path.parent == SHORT_FOLDER and (there.st_uid != os.getuid() or not stat.S_ISDIR(there.st_mode)):
            raise StoreError(f"{path} is not ours", hint="name another folder with --data-dir")
        if stat.S_IMODE(there.st_mode) != 0o700:
            path.chmod(0o700)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no folder can be called so"
        raise StoreError(
            f"cannot use the data folder {path}: {reason}", hint="name another with --data-dir"
        ) from error


def find_mongod() -> Path:
    """The mongod of the `embedded` extra, else the one on the PATH. Raises NoMongod with the ways out."""
    spec = importlib.util.find_spec("fiftyone") if sys.platform == "linux" else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / "db" / "bin" / "mongod"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    if on_path := shutil.which("mongod"):
        return Path(on_path).absolute()
    raise NoMongod("no MONGODB_URI is set and there is no mongod on this machine", hint=WAYS_OUT)


def launch(binary: Path, places: Places) -> None:
    """Start a server in the background, and return when it answers. Raises MongodFailed with the server's reason."""
    _raise_file_limit()
    begin = places.log.stat().st_size if places.log.is_file() else 0
    try:
        done = subprocess.run(  # noqa: S603
            _command(binary, places), capture_output=True, text=True, errors="replace", check=False, cwd="/"
        )
    except OSError as error:
        raise MongodFailed(f"cannot run {binary}: {error.strerror}", hint=WAYS_OUT) from error
    if done.returncode != 0:
        reason = _reason(done, places, begin)
        in_use = any(word in reason for word in IN_USE)
        hint = f"see {places.log}; or set MONGODB_URI to a MongoDB that you have"
        raise MongodFailed(f"mongod did not start: {reason}", hint=hint, in_use=in_use)


def serves(pid: int, database: Path) -> bool:
    """Whether this process is a mongod over this folder. A process id may have gone to anybody since it was noted."""
    words = _command_line(pid)
    if words is None:
        return False
    options = dict(pairwise(words))
    given = options.get("--dbpath", "")
    return "mongod" in Path(words[0]).name and bool(given) and Path(given) == database


def _command(binary: Path, places: Places) -> list[str]:
    return [
        str(binary), "--dbpath", str(places.database), "--logpath", str(places.log), "--logappend",
        "--logRotate", "reopen", "--quiet", "--pidfilepath", str(places.pid), "--bind_ip", str(places.socket),
        "--unixSocketPrefix", str(places.socket.parent), "--networkMessageCompressors", "disabled",
        "--wiredTigerCacheSizeGB", "0.5", "--setParameter", "diagnosticDataCollectionEnabled=false", "--fork",
    ]  # fmt: skip


def _raise_file_limit() -> None:
    """As high as this user may; the server inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _command_line(pid: int) -> Sequence[str] | None:
    """The words of a process's command line; None when there is no such process of ours to see."""
    if sys.platform != "linux":
        command = ["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)]
        shown = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
        return shown.stdout.split() or None
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).rstrip("\0").split("\0")
    except OSError:
        return None


def _reason(done: subprocess.CompletedProcess[str], places: Places, begin: int) -> str:
    """Why it did not start: its log's first error since then, else what it printed, else how it ended."""
    printed = [
        line
        for line in f"{done.stderr}\n{done.stdout}".splitlines()
        if line and not line.startswith(BOILERPLATE)
    ]
    logged = [*_errors_in(_tail(places.log, begin)), *_errors_in(printed)]
    plain = [line for line in printed if not line.startswith("{")]
    reason = next(iter([*logged, *plain]), f"it ended with code {done.returncode} and said nothing")
    with suppress(OSError):
        free = shutil.disk_usage(places.database).free
        if free < LOW_DISK:
            reason = f"the disk is full ({free // 1024**2} MiB free in {places.database}): {reason}"
    return reason[:400]


def _tail(log: Path, begin: int) -> list[str]:
    with suppress(OSError), log.open("rb") as stream:
        stream.seek(max(begin, stream.seek(0, os.SEEK_END) - TAIL))
        return stream.read(TAIL).decode("utf-8", "replace").splitlines()
    return []


def _errors_in(lines: Sequence[str]) -> Iterator[str]:
    """What log lines of severity error and fatal say."""
    for line in lines:
        with suppress(ValueError, AttributeError, TypeError, KeyError):
            row: dict[str, Any] = json.loads(line)
            if row["s"] in ("E", "F"):
                yield ": ".join(_words_of(row))


def _words_of(row: dict[str, Any]) -> Iterator[str]:
    """The sentence of a log line, then the details that are words."""
    yield row["msg"].strip()
    details = row.get("attr", {})
    for found in (details.get("error"), details.get("message")):
        if isinstance(found, str):
            yield found.strip()
        elif isinstance(found, dict):
            yield from (found[name] for name in ("errmsg", "msg", "error_str") if name in found)
