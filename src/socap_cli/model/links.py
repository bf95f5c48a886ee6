"""Every link to X is built here, from ids and well-formed handles only, never from what strangers wrote.

But for the rows of a page's table, which `report/templates/js/browse.js` draws, and links by the same rules.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement
from socap_cli.model.kinds import list_of

HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")


DIGITS = re.compile(r"[0-9]{1,20}")


SITE = "https://x.com"


EPOCH_MS = 1288834974657


FIRST = 29_000_000_000
"""Ids below this (before November 2010) are sequential and hold no time."""


LARGEST = 2**63 - 1


def tweet_url(tweet_id: str, author_username: str | None = None) -> str:
    """A tweet's page; X resolves `i` to its author."""
    handle = author_username if author_username and HANDLE.fullmatch(author_username) else "i"
    return f"{SITE}/{handle}/status/{tweet_id}" if DIGITS.fullmatch(tweet_id) else SITE


def profile_url(profile: Profile) -> str:
    """An account's page, by its handle when that is well-formed, else by its id."""
    if HANDLE.fullmatch(profile.username):
        return f"{SITE}/{profile.username}"
    return f"{SITE}/i/user/{profile.user_id}" if DIGITS.fullmatch(profile.user_id) else SITE


def engagement_url(engagement: Engagement) -> str:
    """The post that an engagement is, or else the account that made it."""
    if list_of(engagement.action_type).is_post:
        return tweet_url(engagement.source_id, engagement.profile.username)
    return profile_url(engagement.profile)


def snowflake_time(post_id: str) -> datetime | None:
    """When a post was made, read from its id; None for ids that hold no time."""
    number = int(post_id) if len(post_id) <= 19 else LARGEST + 1
    if not FIRST <= number <= LARGEST:
        return None
    return datetime.fromtimestamp(((number >> 22) + EPOCH_MS) / 1000, UTC)


def lowest_snowflake(moment: datetime) -> int:
    """The lowest post id of that millisecond."""
    return (round(moment.timestamp() * 1000) - EPOCH_MS) << 22
