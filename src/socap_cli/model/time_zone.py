"""Names of time zones as people write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zone_of(text: str) -> ZoneInfo:
    """The zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"names no time zone that is known here: {text}; write it like Europe/Berlin"
        ) from None
