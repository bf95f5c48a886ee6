"""How far the followings of each important person are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.store.connect import Db


@dataclass(frozen=True, slots=True)
class BuildState:
    """One important person's followings: the reading that is open, and the last that came to its end."""

    username: str
    """Folded."""
    started_at: datetime | None = None
    """When the open reading began; None when none is open."""
    cursor: str | None = None
    """Where it goes on."""
    accounts: int = 0
    """Accounts read so far, or by the last reading."""
    read_at: datetime | None = None
    """When the last reading ended."""
    whole_since: datetime | None = None
    """When the last reading began that came to the end of the list."""
    problem: str | None = None
    """Why the last reading failed."""


def load(db: Db) -> dict[str, BuildState]:
    """All states by folded handle."""
    names = BuildState.__dataclass_fields__
    return {
        row["_id"]: BuildState(username=row["_id"], **{k: v for k, v in row.items() if k in names})
        for row in db.importance_builds.find()
    }


def save(db: Db, state: BuildState) -> None:
    """Write how far a reading is; its page is stored before."""
    row = {name: getattr(state, name) for name in BuildState.__dataclass_fields__ if name != "username"}
    db.importance_builds.replace_one({"_id": state.username}, row, upsert=True)
