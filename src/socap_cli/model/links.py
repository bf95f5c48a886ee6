"""Links to X and handles: built from ids and well-formed handles only, and read from what people write.

The rows of a page's table are drawn by `report/templates/page.js` by the same rules.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement
from socap_cli.model.kinds import list_of
from socap_cli.text import visible

HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
DIGITS = re.compile(r"[0-9]{1,20}")
SITE = "https://x.com"
EPOCH_MS = 1288834974657
FIRST = 29_000_000_000
"""Ids below this (before November 2010) are sequential and hold no time."""
LARGEST = 2**63 - 1
SITES = frozenset(
    f"{prefix}{site}" for site in ("x.com", "twitter.com") for prefix in ("", "www.", "mobile.", "m.", "pro.")
)
MIRRORS = (
    "fxtwitter.com", "vxtwitter.com", "fixupx.com", "fixvx.com", "twittpr.com",
    "xcancel.com", "lightbrd.com", "twiiit.com", "twstalker.com",
)  # fmt: skip
"""Sites that show the same pages under the same paths, with or without a subdomain."""
NITTER = "nitter."
"""Instances of this front end are known by the first label of their host."""
MENTION = re.compile(r"(?<![\w.@])@([A-Za-z0-9_]+)")
LINK = re.compile(r"(?:https?://)?(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>()\[\]\"'“”|]*", re.IGNORECASE)
LIST_MARK = re.compile(r"[,;\n]")
NOT_ACCOUNTS = frozenset(
    ("i", "home", "explore", "search", "hashtag", "messages", "notifications", "settings", "login", "signup",
     "share", "compose", "about", "tos", "privacy", "jobs", "download", "logout", "intent")
)  # fmt: skip
"""First parts of paths that are pages of the site itself."""
SAY = "write it like @NAME"


def tweet_url(tweet_id: str, author_username: str | None = None) -> str:
    """A tweet's page; X resolves `i` to its author."""
    handle = author_username if author_username and HANDLE.fullmatch(author_username) else "i"
    return f"{SITE}/{handle}/status/{tweet_id}" if DIGITS.fullmatch(tweet_id) else SITE


def handle_in(text: str, tweet_id: str) -> str:
    """The author's handle in the address of a tweet; empty where none is named."""
    address = rf"(?:twitter|x)\.com/@?([A-Za-z0-9_]{{1,15}})/status(?:es)?/{re.escape(tweet_id)}(?!\d)"
    found = re.search(address, text, re.IGNORECASE)
    return found[1] if found and found[1].lower() != "i" else ""


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


class NotAHandle(ValueError):
    """Says why a text names no account, and what to change."""


def is_our_site(host: str) -> bool:
    """Whether a host, in lower case, shows the accounts and tweets of X: its own names, and known mirrors."""
    mirror = any(host == name or host.endswith(f".{name}") for name in MIRRORS)
    return host in SITES or mirror or host.startswith(NITTER)


def handle(text: str) -> str:
    """The account that a text names, as it is written: @Ada, Ada, a link, or a name with one @handle in it.

    Handles have no case: compare them folded. Raises NotAHandle with the reason.
    """
    plain = visible(text).replace("＠", "@").strip("\"'“”‘’`.,;:")
    if not plain:
        raise NotAHandle(f"empty; {SAY}")
    if HANDLE.fullmatch(plain.removeprefix("@")):
        return plain.removeprefix("@")
    links = [link for link in LINK.findall(plain) if "@" not in link.partition("/")[0]]
    mentioned: list[str] = MENTION.findall(plain)
    names = [*(_from_link(link) for link in links), *mentioned]
    named = {name.lower(): name for name in names}
    if len(named) == 1 and HANDLE.fullmatch(name := next(iter(named.values()))):
        return name
    raise NotAHandle(_why_not(plain, named))


def handles(text: str) -> list[str]:
    """The accounts in a list with commas, semicolons or line ends between, each once whatever its case.

    Blanks part them as well when each begins with @. Raises NotAHandle for a part that names none.
    """
    words = text.split()
    parts = words if len(words) > 1 and all(w.startswith("@") for w in words) else LIST_MARK.split(text)
    found: dict[str, str] = {}
    for name in [handle(part) for part in parts if visible(part)] or [handle(text)]:
        found.setdefault(name.lower(), name)
    return list(found.values())


def _from_link(link: str) -> str:
    """The account whose page a link is. Raises NotAHandle."""
    try:
        parts = urlsplit(link if "://" in link else f"https://{link}")
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        raise NotAHandle(f"not a web address; {SAY}") from None
    if not is_our_site(host):
        raise NotAHandle(f"not an account of x.com or twitter.com: {host[:60]}; {SAY}")
    path = [part for part in parts.path.split("/") if part] or ["i"]
    if path[0].lower() == "intent" and (named := parse_qs(parts.query).get("screen_name")):
        return named[0]
    if len(path) > 1 and path[1].lower() in ("status", "statuses"):
        raise NotAHandle(f"a tweet's address, not an account's; {SAY}")
    name = path[0].removeprefix("@")
    if name.lower() in NOT_ACCOUNTS:
        raise NotAHandle(f"a page of the site, not an account's; {SAY}")
    return name


def _why_not(text: str, named: dict[str, str]) -> str:
    shown = text[:60]
    if len(named) > 1:
        return f"{len(named)} accounts in one: {shown}; put commas between them"
    if named or re.fullmatch(r"@?[A-Za-z0-9_]+", text):
        return f"{shown!r} is longer than a handle can be (15 characters); {SAY}"
    if re.fullmatch(r"\S+@\S+\.\S+", text):
        return f"{shown!r} is an e-mail address, not a handle; {SAY}"
    if re.search(r"\s", text):
        return f"{shown!r} is a name, not a handle; {SAY}"
    return f"{shown!r} is no handle (letters, digits and _, at most 15); {SAY}"
