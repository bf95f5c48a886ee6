"""The last runs of each command, for `status`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from socap_cli.model.run import RunRecord
from socap_cli.store.clock import clock
from socap_cli.store.connect import Db


def record(db: Db, run: RunRecord) -> None:
    """Keep a run's result under its id, so that a repeated write keeps one.

    When it started is told by the database's clock: a host whose own is ahead would hide the runs that are missed.
    """
    wrong_by = datetime.now(UTC) - clock(db)()
    row: dict[str, Any] = {
        "command": run.command,
        "started_at": run.started_at - wrong_by,
        "seconds": round(run.seconds, 3),
        "result": run.result,
    }
    db.runs.replace_one({"_id": run.run_id}, row, upsert=True)


def last(db: Db, command: str) -> RunRecord | None:
    """The latest run of a command; None when there was none."""
    row = db.runs.find_one({"command": command}, sort=[("started_at", -1)])
    if row is None:
        return None
    return RunRecord(row["_id"], row["command"], row["started_at"], row["seconds"], row["result"])
