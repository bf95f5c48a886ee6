"""When alerts that are not urgent are told together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from socap_cli.model.time_zone import zone_of

NOTATION = re.compile(r"daily(?:\s+([0-2]?[0-9]):([0-5][0-9])(?:\s+([A-Za-z0-9_+/-]{1,64}))?)?")
MORNING = time(8, 0)


@dataclass(frozen=True, slots=True)
class Digest:
    """`off`: at once. `hourly`: at the next full hour. `daily`: at an hour of the day in a time zone."""

    every: str = "off"
    at: time = MORNING
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"daily {self.at:%H:%M} {self.zone}" if self.every == "daily" else self.every

    def next_after(self, moment: datetime) -> datetime | None:
        """When what comes up at this moment is told; None for at once."""
        if self.every == "hourly":
            return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        if self.every != "daily":
            return None
        zone = ZoneInfo(self.zone)
        day = moment.astimezone(zone).date()
        days = (datetime.combine(day + timedelta(days=n), self.at, zone).astimezone(UTC) for n in range(3))
        return next(then for then in days if then > moment)


@lru_cache(maxsize=256)
def parse_digest(text: str) -> Digest:
    """`off`, `hourly`, `daily`, `daily 08:00 Europe/Berlin`. Raises ValueError."""
    text = text.strip()
    if text in ("off", "hourly"):
        return Digest(text)
    match = NOTATION.fullmatch(text)
    if match is None or int(match[1] or 0) > 23:
        raise ValueError("is no digest: there are off, hourly, daily, daily 08:00 Europe/Berlin")
    zone = match[3] or "UTC"
    zone_of(zone)
    return Digest("daily", time(int(match[1]), int(match[2])) if match[1] else MORNING, zone)
