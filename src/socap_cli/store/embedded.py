"""The embedded `mongod`: the first command that needs it starts it, `socap db stop` ends it.

One server per data folder. It listens on a unix socket in a private folder and on nothing else; commands that run
at the same time use the same server. A start and a stop exclude each other by a file lock.
"""

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
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote_plus

from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from socap_cli.errors import MongodFailed, NoMongod, StoreError

SOCKET_LIMIT = 107  # bytes in a unix socket's path, on Linux
# A comma separates addresses for the server; colons and brackets have a meaning for the driver.
SAFE_PATH = re.compile(r"[\w./ +~=-]+")
SHORT_FOLDER = Path("/tmp")  # noqa: S108  (for a folder of mode 0700, checked to be ours)
LARGEST_LOG = 10 * 1024**2
LOG_TAIL = 256 * 1024
OPEN_FILES = 64_000  # a connection takes one and a collection several; the usual 1024 ends at 450 connections
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "TZ")  # the rest of the environment may hold secrets
BOILERPLATE = ("about to fork", "forked process", "ERROR: child process failed", "To see additional", "try '")
STILL_LEAVING = ("DBPathInUse", "AddressInUse", "Address already in use")
WAYS_OUT = (
    "set MONGODB_URI to a MongoDB you have, or run pip install 'socap[embedded]' (Linux x86_64), "
    "or put a mongod on the PATH"
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """The server of a data folder. Nothing is started by creating one. Times are in seconds."""

    data_dir: Path
    lock_patience: float = 60.0

    @property
    def db_path(self) -> Path:
        return self._folder / "db"

    @property
    def log_path(self) -> Path:
        return self._folder / "mongod.log"

    @property
    def pid_path(self) -> Path:
        return self._folder / "mongod.pid"

    @property
    def socket_path(self) -> Path:
        """In the data folder, or in a short folder if that path cannot be a socket.

        It depends on no variable, so that a shell and a scheduler find the same server.
        """
        near = self._folder / "run" / "mongod.sock"
        longest = near.parent / "mongodb-27017.sock"
        if len(os.fsencode(longest)) <= SOCKET_LIMIT and SAFE_PATH.fullmatch(str(near)):
            return near
        mark = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:12]
        return SHORT_FOLDER / f"socap-{os.getuid()}-{mark}" / "mongod.sock"

    @property
    def uri(self) -> str:
        return f"mongodb://{quote_plus(str(self.socket_path))}/"

    @property
    def _folder(self) -> Path:
        return Path(os.path.realpath(self.data_dir))

    def pid(self) -> int | None:
        """The running server's process id; None when it is down, or when the id belongs to another process."""
        try:
            pid = int(self.pid_path.read_text("ascii").strip())
        except (OSError, ValueError):
            return None
        return pid if 1 < pid < 2**31 and _serves(pid, self.db_path) else None

    def is_up(self) -> bool:
        """Whether it runs and its socket can be seen from here."""
        with suppress(OSError):
            return self.pid() is not None and self.socket_path.is_socket()
        return False

    def start(self, *, patience: float = 10.0) -> bool:
        """Start the server unless it runs; True if this call started it.

        A server that is still shutting down is waited for. Raises NoMongod, and StoreError with the server's reason.
        """
        if self.is_up():
            return False
        binary = find_mongod()
        _make_private(self._folder)
        with self._lock():
            if self.is_up():
                return False
            if (pid := self.pid()) is not None:
                raise StoreError(
                    f"mongod (pid {pid}) is running, but its socket {self.socket_path} cannot be seen from here",
                    hint="socap db stop; a service with a private /tmp needs a shorter --data-dir",
                )
            for folder in (self.db_path, self.socket_path.parent):
                _make_private(folder)
            for stale in self.socket_path.parent.glob("*.sock"):
                try:
                    stale.unlink()
                except OSError as error:
                    raise StoreError(f"cannot remove {stale}: {error.strerror}", hint="remove it") from error
            with suppress(OSError):
                if self.log_path.stat().st_size > LARGEST_LOG:
                    self.log_path.replace(self.log_path.with_suffix(".log.1"))
            retrying = Retrying(
                retry=retry_if_exception(lambda error: isinstance(error, MongodFailed) and error.in_use),
                stop=stop_after_delay(patience),
                wait=wait_fixed(0.25),
                reraise=True,
            )
            retrying(launch, binary, self)
        return True

    def stop(self, *, patience: float = 20.0) -> bool:
        """Shut the server down cleanly; False if none was running."""
        if self.pid() is None:
            return False
        with self._lock():
            pid = self.pid()
            if pid is None:
                return False
            os.kill(pid, signal.SIGTERM)
            until = time.monotonic() + patience
            while self.pid() is not None:
                if time.monotonic() > until:
                    raise StoreError(
                        f"mongod (pid {pid}) did not stop within {patience:g} s", hint=f"see {self.log_path}"
                    )
                time.sleep(0.05)
        return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        path = self._folder / "mongod.lock"
        lock = FileLock(path, timeout=self.lock_patience)
        try:
            lock.acquire()
        except Timeout:
            raise StoreError(
                f"another process has been starting or stopping this database for {self.lock_patience:g} s",
                hint=f"it holds {path}; end it if it hangs",
            ) from None
        except OSError as error:
            raise StoreError(
                f"cannot use {path}: {error.strerror or error}",
                hint="check its permissions, or set --data-dir",
            ) from error
        try:
            yield
        finally:
            lock.release()


def find_mongod() -> Path:
    """The mongod of the `embedded` extra, else the one on the PATH. Raises NoMongod."""
    spec = importlib.util.find_spec("fiftyone") if sys.platform == "linux" else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / "db" / "bin" / "mongod"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    if on_path := shutil.which("mongod"):
        return Path(on_path).absolute()
    raise NoMongod("MONGODB_URI is not set and there is no mongod on this machine", hint=WAYS_OUT)


def launch(binary: Path, server: Embedded) -> None:
    """Start a server in the background; it answers when this returns. Raises MongodFailed with its reason."""
    command = [
        str(binary), "--dbpath", str(server.db_path), "--logpath", str(server.log_path), "--logappend",
        "--quiet", "--slowms", "1000", "--pidfilepath", str(server.pid_path), "--bind_ip", str(server.socket_path),
        "--unixSocketPrefix", str(server.socket_path.parent), "--networkMessageCompressors", "disabled",
        "--wiredTigerCacheSizeGB", "0.5", "--setParameter", "diagnosticDataCollectionEnabled=false", "--fork",
    ]  # fmt: skip
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))  # the server inherits it
    log_size = server.log_path.stat().st_size if server.log_path.is_file() else 0
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, errors="replace", check=False, cwd="/", env=environment
        )
    except OSError as error:
        raise MongodFailed(f"cannot run {binary}: {error.strerror}", hint=WAYS_OUT) from error
    if done.returncode != 0:
        printed = [line for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
        reason = _reason([*_log_since(server.log_path, log_size), *printed])
        raise MongodFailed(
            f"mongod did not start: {reason or f'exit code {done.returncode} without a message'}",
            hint=f"see {server.log_path}; or set MONGODB_URI to a MongoDB you have",
            in_use=any(word in reason for word in STILL_LEAVING),
        )


def _log_since(log: Path, size: int) -> list[str]:
    with suppress(OSError), log.open("rb") as stream:
        stream.seek(max(size, stream.seek(0, os.SEEK_END) - LOG_TAIL))
        return stream.read(LOG_TAIL).decode("utf-8", "replace").splitlines()
    return []


def _reason(lines: Sequence[str]) -> str:
    """The first error among log lines, which are JSON, else the first plain line."""
    plain = [line for line in lines if not line.startswith(("{", *BOILERPLATE))]
    for line in lines:
        with suppress(ValueError, AttributeError, TypeError, KeyError):
            row = json.loads(line)
            if row["s"] in ("E", "F"):
                details = row.get("attr", {}).get("error") or row.get("attr", {}).get("message") or ""
                if isinstance(details, dict):
                    details = details.get("errmsg") or details.get("msg") or details.get("error_str") or ""
                return f"{row['msg'].strip()}: {details}".strip(" :")[:400]
    return next(iter(plain), "")[:400]


def _serves(pid: int, database: Path) -> bool:
    """Whether this process is a mongod over this folder: the id may have been reused."""
    try:
        if sys.platform == "linux":
            words = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).rstrip("\0").split("\0")
        else:
            command = ["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)]
            words = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
    except OSError:
        return False
    folder = dict(pairwise(words)).get("--dbpath", "")
    return bool(words) and "mongod" in Path(words[0]).name and bool(folder) and Path(folder) == database


def _make_private(path: Path) -> None:
    """Create a folder of mode 0700. Raises StoreError for one of another user."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if path.parent == SHORT_FOLDER and (found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode)):
            raise StoreError(f"{path} belongs to another user", hint="set another --data-dir")
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise StoreError(
            f"cannot use the data folder {path}: {reason}", hint="set another --data-dir"
        ) from error
