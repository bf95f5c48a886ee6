"""Tweet URLs to ids: every form that people paste, and a reason for each that is none."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SITES = ("x.com", "twitter.com")
MIRRORS = ("fxtwitter.com", "vxtwitter.com", "fixupx.com", "fixvx.com", "twittpr.com")
HOSTS = frozenset(
    [f"{prefix}{site}" for site in SITES for prefix in ("", "www.", "mobile.", "m.")]
    + [f"{prefix}{site}" for site in MIRRORS for prefix in ("", "www.")]
)
PATH = re.compile(
    r"^/(?:#!/)?(?:i/web|i|[a-z0-9_]{1,15})/status(?:es)?/([0-9]{1,19})(?:[/?#].*)?$", re.IGNORECASE
)
BARE_ID = re.compile(r"[0-9]{1,19}")
SPREADSHEET = re.compile(r"[0-9]+[.,]?[0-9]*e\+?[0-9]+", re.IGNORECASE)
LARGEST_ID = 2**63 - 1


class NotATweet(ValueError):
    """Says why a text names no tweet."""


def tweet_id(text: str) -> str:
    """The id that a URL or a bare number names. Raises NotATweet with the reason."""
    text = text.strip().strip("<>\"'")
    if not text:
        raise NotATweet("empty")
    if BARE_ID.fullmatch(text) and text.isascii():
        return _checked(text)
    if SPREADSHEET.fullmatch(text):
        raise NotATweet(
            "a spreadsheet cut the digits off this id; paste the URL or format the column as text"
        )
    if any(character.isspace() for character in text):
        raise NotATweet("not a URL: it holds a space")
    return _checked(_from_url(text))


def _from_url(text: str) -> str:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError as error:
        raise NotATweet(f"not a URL: {error}") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise NotATweet(f"not a web address: {parts.scheme}")
    if host == "t.co":
        raise NotATweet("a t.co short link hides where it leads; open it and paste the address it ends at")
    if host not in HOSTS or port not in (None, 80, 443) or "@" in parts.netloc:
        raise NotATweet(f"not a tweet of x.com or twitter.com: {parts.netloc[:60] or text[:60]}")
    path = parts.path + (f"#{parts.fragment}" if parts.fragment else "")
    if match := PATH.match(path):
        return match.group(1)
    raise NotATweet(_why_not(parts.path.lower()))


def _why_not(path: str) -> str:
    for part, what in (
        ("/article", "an article"),
        ("/i/spaces", "a space"),
        ("/lists/", "a list"),
        ("/i/lists", "a list"),
        ("/search", "a search"),
        ("/status", "a status link without a usable id"),
    ):
        if part in path:
            return f"{what}, not a tweet"
    return "a profile or another page, not a tweet; a tweet's address has /status/ and a number"


def _checked(digits: str) -> str:
    number = int(digits)
    if not 0 < number <= LARGEST_ID:
        raise NotATweet("not a tweet id: out of range")
    return str(number)
