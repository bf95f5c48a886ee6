"""The embedded `mongod`: started on demand by whichever command comes first, reached by a unix socket only."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_fixed

from socap_cli.errors import MongodFailed, StoreError
from socap_cli.files.file_lock import EXCLUSIVE, SHARED, locked
from socap_cli.store.mongod import Places, find_mongod, launch, serves

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
