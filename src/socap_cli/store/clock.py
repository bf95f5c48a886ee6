"""The database's clock: the one that all hosts share."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from socap_cli.store.connect import Db


def clock(db: Db) -> Callable[[], datetime]:
    """A clock that was set by the database's once and goes on by itself, whatever the host's own says."""
    began = time.monotonic()
    at: datetime = db.command("hello")["localTime"]
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return lambda: aware + timedelta(seconds=time.monotonic() - began)
