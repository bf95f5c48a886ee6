"""The last runs of each command, for `status`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from socap_cli.store.connect import Db


def record(
    db: Db, command: str, *, run_id: str, started_at: datetime, seconds: float, result: dict[str, Any]
) -> None:
    """Keep a run's result under its id, so that a repeated write keeps one."""
    row = {"command": command, "started_at": started_at, "seconds": round(seconds, 3), "result": result}
    db.runs.replace_one({"_id": run_id}, row, upsert=True)


def last(db: Db, command: str) -> dict[str, Any] | None:
    return db.runs.find_one({"command": command}, sort=[("started_at", -1)])
