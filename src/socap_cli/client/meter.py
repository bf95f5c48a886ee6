"""Keep what was asked, and write it to `api_usage` in batches that count once however often they are tried."""

from __future__ import annotations

import queue
import secrets
from contextlib import suppress

from socap_cli.model.run import MeteredRequest, UsageBatch
from socap_cli.store import Db, usage


class Meter:
    """Requests that are not written yet. Threads add to it; one thread writes."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._unwritten: queue.SimpleQueue[MeteredRequest] = queue.SimpleQueue()
        self._batch: UsageBatch | None = None

    def add(self, request: MeteredRequest) -> None:
        """Keep a request until the next `write`."""
        self._unwritten.put(request)

    def write(self) -> None:
        """Write what was added since the last time. What could not be written stays, under the same name."""
        if self._batch is None:
            requests: list[MeteredRequest] = []
            with suppress(queue.Empty):
                while True:
                    requests.append(self._unwritten.get_nowait())
            if not requests:
                return
            self._batch = UsageBatch(secrets.token_hex(6), requests)
        usage.record(self._db, self._batch)
        self._batch = None
