"""Troubles that were told already: one that goes on is told once a day, whichever command meets it.

For cron, which mails whatever is printed: an outage of two hours is one mail, not one for each run of each command.
What was told stands in a file of the data folder. Where that cannot be read or written, everything is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from socap_cli.errors import SocapError
from socap_cli.files.file_lock import EXCLUSIVE, locked
from socap_cli.files.writing import write_file
from socap_cli.json_text import iso, json_text

FILE, LOCK = "troubles.json", "troubles.lock"
AGAIN_AFTER = timedelta(hours=23)
"""So that what runs once a day, a little earlier or later, tells it each time."""
LOCK_PATIENCE = 2.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that was told, and the commands that have met it since and not ended well."""

    told: datetime
    commands: frozenset[str]


Troubles = Mapping[str, Trouble]
"""By what they say, without its figures."""


def settle(
    known: Troubles, command: str, lines: Sequence[str], now: datetime
) -> tuple[list[str], dict[str, Trouble]]:
    """The lines of a run that are to be told, and what is known after it. Pure.

    A trouble is over when every command that met it has run without it.
    """
    met = {_key(line): line for line in lines}
    after = {key: Trouble(one.told, one.commands - {command}) for key, one in known.items()}
    after = {key: one for key, one in after.items() if one.commands or key in met}
    new = []
    for key, line in met.items():
        before = after.get(key)
        if before is None or not timedelta(0) <= now - before.told < AGAIN_AFTER:
            new.append(line)
            before = Trouble(now, before.commands if before else frozenset())
        after[key] = Trouble(before.told, before.commands | {command})
    return new, after


def new_lines(folder: Path, command: str, lines: Sequence[str], now: datetime) -> list[str]:
    """The lines of a run that nobody was told; they count as told from then on."""
    if not lines and not (folder / FILE).exists():
        return []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / LOCK, EXCLUSIVE, patience=LOCK_PATIENCE) as holder:
            if holder:
                return list(lines)
            new, after = settle(_read(folder / FILE), command, lines, now)
            write_file(folder / FILE, _written(after), mode=0o600, follow=False)
    except (OSError, SocapError):
        return list(lines)
    return new


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _read(path: Path) -> dict[str, Trouble]:
    """What was told; nothing where the file is not there or is none of ours."""
    try:
        rows = json.loads(path.read_bytes())
        return {
            key: Trouble(datetime.fromisoformat(row["told"]), frozenset(map(str, row["commands"])))
            for key, row in rows.items()
        }
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _written(troubles: Troubles) -> bytes:
    rows: Iterable[tuple[str, Trouble]] = troubles.items()
    kept = {key: {"told": iso(one.told), "commands": sorted(one.commands)} for key, one in rows}
    return json_text(kept, indent=2).encode()
