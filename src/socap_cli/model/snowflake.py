"""Times in post ids (snowflakes: milliseconds since November 2010 above 22 bits of machine and sequence)."""

from __future__ import annotations

from datetime import UTC, datetime

EPOCH_MS = 1288834974657
FIRST = 29_000_000_000
"""Ids below this (before November 2010) are sequential and hold no time."""
LARGEST = 2**63 - 1


def snowflake_time(post_id: str) -> datetime | None:
    """When a post was made, read from its id; None for ids that hold no time."""
    number = int(post_id) if len(post_id) <= 19 else LARGEST + 1
    if not FIRST <= number <= LARGEST:
        return None
    return datetime.fromtimestamp(((number >> 22) + EPOCH_MS) / 1000, UTC)


def lowest_snowflake(moment: datetime) -> int:
    """The lowest post id of that millisecond."""
    return (round(moment.timestamp() * 1000) - EPOCH_MS) << 22
