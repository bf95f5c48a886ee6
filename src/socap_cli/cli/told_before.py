"""Troubles that were told already: one that goes on is told once a day, whichever command meets it.

For cron, which mails whatever is printed: an outage of two hours is one mail, not one for each run of each command.
What was told stands in a file of the data folder. Where that cannot be read or written, everything is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from socap_cli.errors import SocapError
from socap_cli.files.file_lock import EXCLUSIVE, locked
from socap_cli.files.writing import write_file
from socap_cli.json_text import json_text

FILE, LOCK = "troubles.json", "troubles.lock"
AGAIN_AFTER = timedelta(hours=23)
"""So that what runs once a day, a little earlier or later, tells it each time."""
OVER_AFTER = timedelta(hours=6)
"""Without being met. Not at once: between two tries of a message, runs have nothing to complain of."""
LOCK_PATIENCE = 2.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """When something was told last, and met last."""

    told: datetime
    met: datetime

    def is_old_news(self, now: datetime) -> bool:
        """Whether it need not be told again."""
        return timedelta(0) <= now - self.told < AGAIN_AFTER and now - self.met < OVER_AFTER


Troubles = Mapping[str, Trouble]
"""By what they say, without its figures and the advice."""


def settle(known: Troubles, lines: Sequence[str], now: datetime) -> tuple[list[str], dict[str, Trouble]]:
    """The lines of a run that are to be told, and what is known after it. Pure."""
    after = {key: one for key, one in known.items() if one.is_old_news(now)}
    new = []
    for line in lines:
        key = re.sub(r"\d+", "#", line.partition(" – ")[0])
        if key not in after:
            new.append(line)
        after[key] = Trouble(after[key].told if key in after else now, now)
    return new, after


def new_lines(folder: Path, lines: Sequence[str], now: datetime) -> list[str]:
    """The lines of a run that nobody was told; they count as told from then on."""
    if not lines:
        return []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(folder / LOCK, EXCLUSIVE, patience=LOCK_PATIENCE) as holder:
            if holder:
                return list(lines)
            new, after = settle(_read(folder / FILE), lines, now)
            write_file(folder / FILE, _written(after), mode=0o600, follow=False)
    except (OSError, SocapError):
        return list(lines)
    return new


def _read(path: Path) -> dict[str, Trouble]:
    """What was told; nothing where the file is not there or is none of ours."""
    try:
        rows = json.loads(path.read_bytes())
        return {key: Trouble(*map(_moment, times)) for key, times in rows.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError, OverflowError):
        return {}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _written(troubles: Troubles) -> bytes:
    return json_text({key: [one.told, one.met] for key, one in troubles.items()}, indent=2).encode()
