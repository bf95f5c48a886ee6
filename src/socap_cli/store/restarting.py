"""Bring the embedded server back while a command is using it; its operations wait for that, as for an election."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from socap_cli.errors import StoreError

LAST_START = 5.0
"""Seconds."""


class Restarter(ServerHeartbeatListener):
    """Listens to the driver's heartbeats, and starts the server again whenever one fails."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start
        self._starting = threading.Lock()
        self._closed = False
        self.failure: StoreError | None = None
        """Why the server did not start when it was tried last."""

    def close(self) -> None:
        """From now on the server is left alone. A start that is under way ends first, if it ends soon."""
        self._closed = True
        if self._starting.acquire(timeout=LAST_START):
            self._starting.release()

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:  # noqa: ARG002  (the driver's names)
        """The server does not answer. It is started in a thread, as the driver's own may not be kept."""
        if not self._closed:
            threading.Thread(target=self._restart, name="restart", daemon=True).start()

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:  # noqa: ARG002
        """It answers."""
        self.failure = None

    def _restart(self) -> None:
        """One start at a time; one that fails is tried again at the next heartbeat."""
        if not self._starting.acquire(blocking=False):
            return
        try:
            if not self._closed:
                self._start()
        except StoreError as error:
            self.failure = error
        finally:
            self._starting.release()
