"""Every link to X is built here, from ids and well-formed handles only, never from what strangers wrote.

But for the rows of a page's table, which `report/templates/js/browse.js` draws, and links by the same rules.
"""

from __future__ import annotations

import re

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement
from socap_cli.model.kinds import list_of

HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
DIGITS = re.compile(r"[0-9]{1,20}")
SITE = "https://x.com"


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
