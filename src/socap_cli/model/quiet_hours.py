"""The hours in which nobody wants to be told: by the clock on the wall of a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from socap_cli.model.time_zone import zone_of

NOTATION = re.compile(
    r"([0-2]?[0-9]):([0-5][0-9])\s*-\s*([0-2]?[0-9]):([0-5][0-9])(?:\s+([A-Za-z0-9_+/-]{1,64}))?(\s+vips)?"
)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` up to `end` of every day; over midnight when the end is the earlier one."""

    start: time
    end: time
    zone: str = "UTC"
    hold_vips: bool = False
    """Whether VIPs wait too."""

    def __str__(self) -> str:
        vips = " vips" if self.hold_vips else ""
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}{vips}"

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours end that hold at this moment; None when none do."""
        local = now.astimezone(ZoneInfo(self.zone))
        clock = local.time().replace(tzinfo=None)
        crosses = self.end < self.start
        inside = clock >= self.start or clock < self.end if crosses else self.start <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if crosses and clock >= self.start else 0)
        end = datetime.combine(day, self.end, ZoneInfo(self.zone)).astimezone(UTC)
        # Where the clock was put back within the hour, the end of that name may lie behind us: the later one holds.
        return (
            end
            if end > now
            else datetime.combine(day, self.end, ZoneInfo(self.zone)).replace(fold=1).astimezone(UTC)
        )


@lru_cache(maxsize=256)
def parse_quiet_hours(text: str) -> QuietHours:
    """`22:00-07:00 Europe/Berlin`; without a zone UTC; `vips` behind it holds VIPs too. Raises ValueError."""
    match = NOTATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no span of hours: write it like 22:00-07:00 Europe/Berlin")
    hours = [int(part) for part in match.groups()[:4]]
    if hours[0] > 23 or hours[2] > 23:
        raise ValueError("has an hour that no clock shows")
    start, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    if start == end:
        raise ValueError("begins when it ends: leave it out for no quiet hours")
    zone = match[5] or "UTC"
    zone_of(zone)
    return QuietHours(start, end, zone, hold_vips=bool(match[6]))
