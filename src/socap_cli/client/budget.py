"""Credits that a day may cost, in all and for each campaign. Counters are the last thing to go.

Below the soft budget everything is read. From there on only counters are, so that nothing grows unseen. At the
hard budget nothing is asked any more: a campaign's jobs end as `over budget`, and when the day's own budget is
reached the run ends.

What other processes spend is learnt every few seconds, so a hard budget may be passed by what they ask in
between.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from socap_cli.config import Budget as Limits
from socap_cli.errors import BudgetReached, OverBudget
from socap_cli.model.kinds import METRICS, Kind
from socap_cli.store import Db, usage

REFRESH = 10.0


class Level(IntEnum):
    """What may still be asked."""

    OPEN = 0
    COUNTERS = 1
    CLOSED = 2


def level(spent: float, soft: float, hard: float) -> Level:
    """What may still be asked after so many credits were spent; a limit of 0 is none."""
    if hard and spent >= hard:
        return Level.CLOSED
    return Level.COUNTERS if soft and spent >= soft else Level.OPEN


@dataclass
class Budget:
    """Keeps count for one run. Safe to share between threads."""

    db: Db
    limits: Limits = field(default_factory=Limits)
    _spent: dict[str, float] = field(default_factory=dict)
    _day: str = ""
    _read_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def admitted(self, kind: Kind, campaigns: Iterable[str], now: datetime) -> frozenset[str]:
        """The campaigns that may still pay for this kind. Raises BudgetReached when nothing may be asked today."""
        wanted = frozenset(campaigns)
        limits = self.limits
        if limits == Limits():
            return wanted
        with self._lock:
            self._refresh(now)
            day = level(sum(self._spent.values()), limits.day_soft, limits.day_hard)
            own = {
                campaign: level(self._spent.get(campaign, 0.0), limits.campaign_soft, limits.campaign_hard)
                for campaign in wanted
            }
        allowed = Level.COUNTERS if kind == METRICS else Level.OPEN
        if day is Level.CLOSED or (not wanted and day > allowed):  # what no campaign pays, the day pays
            name = "day_hard" if day is Level.CLOSED else "day_soft"
            raise BudgetReached(
                f"the day's budget of {getattr(limits, name):,.0f} credits is spent",
                hint=f"raise [budget] {name}, or wait",
            )
        return frozenset(campaign for campaign in wanted if max(day, own[campaign]) <= allowed)

    def check(self, kind: Kind, campaigns: Sequence[str], now: datetime) -> None:
        """Raise BudgetReached when nothing may be asked today, OverBudget when one of these may not pay."""
        if self.admitted(kind, campaigns, now) != frozenset(campaigns):
            raise OverBudget

    def add(self, campaigns: Sequence[str], cost: float) -> None:
        """Count what this run just spent, before it is written."""
        with self._lock:
            for campaign, jobs in Counter(campaigns).items():
                self._spent[campaign] = self._spent.get(campaign, 0.0) + cost * jobs / len(campaigns)

    def _refresh(self, now: datetime) -> None:
        day = f"{now:%Y-%m-%d}"
        if day == self._day and time.monotonic() - self._read_at < REFRESH:
            return
        stored = usage.spent(self.db, day)
        if day == self._day:  # what this run spent may not be written yet
            stored = {c: max(stored.get(c, 0.0), self._spent.get(c, 0.0)) for c in {*stored, *self._spent}}
        self._spent = stored
        self._day, self._read_at = day, time.monotonic()
