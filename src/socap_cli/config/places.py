"""Where the platform keeps an application's settings and data, and how their files are read."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from socap_cli.errors import ConfigError

FILE_NAME = "socap.toml"
NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration file, and whether a person named it or keeps it in a place of their own.

    A file that merely lies in the working folder may be a stranger's: what it may decide is in `loading`.
    """

    path: Path
    trusted: bool


def home() -> Path | None:
    """The home folder; None when neither HOME nor the password file tells one."""
    try:
        path = Path(os.environ["HOME"]) if os.environ.get("HOME") else Path.home()
    except (RuntimeError, KeyError):
        return None
    return path if path.is_absolute() else None


def default_data_dir() -> Path:
    """Where the platform keeps an application's data. Raises ConfigError when there is no home folder."""
    if given := _absolute("XDG_DATA_HOME"):
        return given / "socap"
    place = home()
    if place is None:
        raise ConfigError(
            "no home folder, so no place for data", hint="set HOME, SOCAP_DATA_DIR or --data-dir"
        )
    if sys.platform == "darwin":
        return place / "Library" / "Application Support" / "socap"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or place / "AppData" / "Local") / "socap"
    return place / ".local" / "share" / "socap"


def named_file(named: Path | None) -> Path | None:
    """The file that a person named, with --config or SOCAP_CONFIG, whether it is there or not."""
    if named is None and (from_environment := os.environ.get("SOCAP_CONFIG")):
        return Path(from_environment)
    return named


def find_file(named: Path | None) -> Found | None:
    """The configuration file: named, `SOCAP_CONFIG`, `./socap.toml`, then the user's own.

    Raises ConfigError when one was named and there is none, or when nobody can tell.
    """
    if wanted := named_file(named):
        if not _is_there(wanted):
            raise ConfigError(f"no configuration file at {shown(wanted)}", hint="write one with: socap init")
        return Found(wanted, trusted=True)
    here = Path(FILE_NAME)
    if _is_there(here):
        return Found(here, trusted=False)
    own = _absolute("XDG_CONFIG_HOME") or ((place / ".config") if (place := home()) else None)
    if own and _is_there(own / "socap" / FILE_NAME):
        return Found(own / "socap" / FILE_NAME, trusted=True)
    return None


def missing_file(named: Path | None) -> Path | None:
    """Where a configuration is to be written, as there is none: where one was named, else `./socap.toml`."""
    wanted = named_file(named)
    if wanted is None:
        return None if find_file(None) else Path(FILE_NAME)
    return None if _is_there(wanted) else wanted


def read_limited(path: Path, most_bytes: int) -> bytes:
    """The bytes of a small file. Raises ConfigError with the reason, which repeats nothing of its content."""
    try:
        with path.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "its name holds a NUL character"
        raise ConfigError(f"cannot read {shown(path)}: {reason}", hint="name a readable file") from None
    if len(content) > most_bytes:
        raise ConfigError(
            f"{shown(path)} is larger than {most_bytes // 1024} KiB", hint="that is another file"
        )
    return content


def _absolute(name: str) -> Path | None:
    """The folder in a variable of the XDG specification, which says: a relative one is to be ignored."""
    path = Path(os.environ.get(name) or ".")
    return path if path.is_absolute() else None


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        if error.errno in NO_SUCH_FILE:
            return False
        raise ConfigError(
            f"cannot look for a configuration at {shown(path)}: {error.strerror}",
            hint="name another with --config or SOCAP_CONFIG",
        ) from None
    except ValueError:
        raise ConfigError("the name of the configuration file holds a NUL character") from None
    return True


def shown(path: Path) -> str:
    """A path as it is told: printable, and not too long."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else f"{text[:100]}…{text[-60:]}"
