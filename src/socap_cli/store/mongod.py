"""The `mongod` program: where it is, how it is started, and why it did not start."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from socap_cli.errors import MongodFailed, NoMongod

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
