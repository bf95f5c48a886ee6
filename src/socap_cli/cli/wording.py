"""Numbers, times and durations as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h"), (14 * DAY, DAY, "d"))
"""(below so many seconds, divided by this, in this unit)."""


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 tweet, 2,000 tweets. `many` is the plural when it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """A time span in its largest whole unit: 5 s, 3 min, 7 h, 12 d."""
    for below, divisor, unit in STEPS:
        if seconds < below:
            return f"{int(seconds // divisor)} {unit}"
    return f"{int(seconds // DAY):,} d"


def since(moment: datetime, now: datetime) -> str:
    """How long ago or ahead a moment is; a date when it is more than two weeks."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) >= STEPS[-1][0]:
        return f"{moment.astimezone(UTC):%Y-%m-%d}"
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"
