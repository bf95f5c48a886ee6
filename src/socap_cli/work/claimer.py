"""When and what a worker claims: kinds whose endpoint is open, after a pause when there was nothing."""

from __future__ import annotations

import os
import random
import secrets
import socket
import time

from socap_cli.model.kinds import Kind, kinds
from socap_cli.model.queue import Unit
from socap_cli.store import claims
from socap_cli.store.claims import Claim
from socap_cli.work.context import WorkContext

IDLE_MIN, IDLE_MAX = 0.02, 1.0


class Claimer:
    """Claims for one worker."""

    def __init__(self, context: WorkContext, lease: float, rng: random.Random) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._context, self._lease, self._rng = context, lease, rng
        self._closed: dict[Kind, float] = {}
        self._probing = False
        self._idle = IDLE_MIN
        self._next_at = 0.0

    def claim(self, units: int) -> list[Unit]:
        """Up to so many units; none, without asking, while the pause after an empty claim lasts."""
        now = time.monotonic()
        if now < self._next_at:
            return []
        wanted = Claim(
            kinds=[kind for kind in kinds() if self._closed.get(kind, 0.0) <= now],
            units=1 if self._probing else units,
            batch=self._context.client.provider.batch,
            worker=self.worker,
            lease=self._lease,
        )
        units_claimed = claims.claim(self._context.db, wanted)
        self._idle = IDLE_MIN if units_claimed else min(IDLE_MAX, self._idle * 2)
        self._next_at = 0.0 if units_claimed else now + self._idle * self._rng.uniform(0.5, 1.5)
        return units_claimed

    def claim_at_once(self) -> None:
        """There may be more now: the next claim asks."""
        self._next_at = 0.0

    def seconds_to_next(self) -> float:
        """Until the next claim asks."""
        return max(0.0, self._next_at - time.monotonic())

    def close(self, kind: Kind, seconds: float) -> None:
        """The endpoint of this kind takes no requests for so many seconds, and then one that finds out."""
        self._closed[kind] = time.monotonic() + seconds
        self._probing = True

    def answered(self) -> None:
        """The provider answers: as much as there is room for is claimed again."""
        self._probing = False

    def closed_for(self) -> float:
        """Seconds for which nothing at all can be claimed; 0 when some kind can."""
        now = time.monotonic()
        return max(0.0, min(self._closed.get(kind, 0.0) - now for kind in kinds()))
