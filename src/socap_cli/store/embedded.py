"""The embedded `mongod`: started on demand by whichever command comes first, reached by a unix socket only."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from socap_cli.errors import NoMongod, StoreError

SOCKET_LIMIT = 107
"""Bytes in a unix socket's path, on Linux."""
WAYS_OUT = (
    "three ways out: set MONGODB_URI to a MongoDB you have; pip install 'socap[embedded]' (Linux x86_64); "
    "or put a mongod on the PATH"
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Where an embedded database lives. Nothing is started by making one."""

    data_dir: Path

    @property
    def db_path(self) -> Path:
        return self.data_dir / "db"

    @property
    def log_path(self) -> Path:
        return self.data_dir / "mongod.log"

    @property
    def pid_path(self) -> Path:
        return self.data_dir / "mongod.pid"

    @property
    def socket_path(self) -> Path:
        """In the data folder, or in a folder of a short name when that path is too long for a socket.

        No variable has a say: a shell and a scheduler, with other ones, must find the same server.
        """
        near = self.data_dir.absolute() / "run" / "mongod.sock"
        longest = near.parent / "mongodb-27017.sock"
        if len(os.fsencode(longest)) <= SOCKET_LIMIT:
            return near
        mark = hashlib.sha256(os.fsencode(self.data_dir.absolute())).hexdigest()[:12]
        return Path("/tmp") / f"socap-{os.getuid()}-{mark}" / "mongod.sock"  # noqa: S108  (its mode is 0700)

    @property
    def uri(self) -> str:
        return f"mongodb://{quote_plus(str(self.socket_path))}/"

    def pid(self) -> int | None:
        """The running server's process id; None when it is down."""
        try:
            pid = int(self.pid_path.read_text().strip())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if _is_mongod(pid) else None

    def start(self) -> bool:
        """Start the server unless it runs; two callers at once start one. True when this call started it."""
        if self.pid() is not None and self.socket_path.exists():
            return False
        binary = find_mongod()
        _private_folder(self.data_dir)
        with self._lock():
            if self.pid() is not None and self.socket_path.exists():
                return False
            _private_folder(self.db_path)
            _private_folder(self.socket_path.parent)
            for stale in self.socket_path.parent.glob("*.sock"):
                stale.unlink()
            self._launch(binary)
        return True

    def stop(self, *, patience: float = 20.0) -> bool:
        """Shut the server down cleanly. False when none ran."""
        if not self.data_dir.is_dir():
            return False
        with self._lock():
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

    def _launch(self, binary: Path) -> None:
        command = [
            str(binary), "--dbpath", str(self.db_path), "--logpath", str(self.log_path), "--logappend",
            "--pidfilepath", str(self.pid_path), "--bind_ip", str(self.socket_path),
            "--unixSocketPrefix", str(self.socket_path.parent), "--networkMessageCompressors", "disabled",
            "--wiredTigerCacheSizeGB", "0.5", "--setParameter", "diagnosticDataCollectionEnabled=false",
            "--fork",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.data_dir)  # noqa: S603
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()
            said = last[-1] if last else f"exit code {done.returncode}"
            raise NoMongod(f"mongod did not start: {said}", hint=f"see {self.log_path}; {WAYS_OUT}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.data_dir / "mongod.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def find_mongod() -> Path:
    """The mongod of the `embedded` extra, else the one on the PATH. Raises NoMongod with the ways out."""
    spec = importlib.util.find_spec("fiftyone") if sys.platform == "linux" else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        candidate = Path(folder) / "db" / "bin" / "mongod"
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    raise NoMongod("no MONGODB_URI is set and there is no mongod on this machine", hint=WAYS_OUT)


def _private_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"cannot use the data folder {path}: {error.strerror}", hint="name another with --data-dir"
        ) from error


def _is_mongod(pid: int) -> bool:
    """Guards against a recycled process id, where the system tells."""
    try:
        return b"mongod" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return sys.platform != "linux"
