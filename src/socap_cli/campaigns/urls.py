"""Tweet URLs to ids: every form that people paste, and a reason for each that is none."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from socap_cli.errors import NotATweet
from socap_cli.files import printable
from socap_cli.model.links import is_our_site
from socap_cli.text import visible

REDIRECTORS = ("safelinks.protection.outlook.com", "slack-redir.net", "l.facebook.com", "google.com")
"""Hosts that wrap a link when it is copied out of mail, chat or a search."""
TARGETS = ("url", "q", "u")
"""The parameters that hold a wrapped link."""
PORTS = (None, 80, 443)

PATH = re.compile(
    r"/+(?:#!/+)?(?:(?:dir|dl)/+)?(?:(?:i/+web|@?[a-z0-9_]{1,15})/+)?status(?:es)?/+([0-9]{1,19})(?![0-9])"
    r"(?:\.(?:mp4|jpe?g|png))?(?:[/?#&%]|[^\x00-\x7f]|$)",
    re.IGNORECASE,
)
RELATIVE = re.compile(r"/?@?[a-z0-9_]{1,15}(?:/web)?/status(?:es)?/", re.IGNORECASE)
HOST_FIRST = re.compile(r"/{0,2}[^/?#\s]+\.[^/?#\s.]{2,}(?::[0-9]+)?[/?#]")
WEB_SCHEME = re.compile(r"(?:https?:/*)+", re.IGNORECASE)
WEB_START = re.compile(r"[^/.]*?(?=https?:/)", re.IGNORECASE)
"""What stands before an address without a blank between."""
BARE_ID = re.compile(r"[0-9]{1,19}")
TEXT_NUMBER = re.compile(r"""(?:=\s*"|')([0-9]+)"?""")
"""How spreadsheets are told that a number is text: ="123" and '123."""
NUMBER_CUT = re.compile(r"[0-9]+[.,]?[0-9]*e\+?[0-9]+|[0-9]{10,}[.,]0+", re.IGNORECASE)
ANY_DIGIT = re.compile(r"[0-9]")
FEW_DIGITS = 10
"""A shorter number beside other words is a count rather than an id. No tweet's address is shorter either."""
ROUNDED = re.compile(r"[0-9]{15}0{3,4}")
"""Fifteen digits and zeros: what a spreadsheet makes of an id that it takes for a number."""
LARGEST_ID = 2**63 - 1

BREAKS = re.compile(r"[\s<>\"“”„‟‘’‚‛«»‹›`|()\[\]{},;、，；。（）［］｛｝「」『』【】《》〈〉｜]+")
"""What parts words from links: blanks, brackets, quotes, and Slack's mark between link and label."""
GLUED = re.compile(r"(?<=[^\s=/:%?&#+])(?=https?://)|(?<=[0-9][/?&#+])(?=https?://)", re.IGNORECASE)
"""Where an address begins without a blank before it, unless it is a part of another."""
BEFORE_A_WORD = "'*_~-–—•·:.!?="
AFTER_A_WORD = "'*_~.:!?\\"
CUT_OFF = re.compile(r"/status(?:es)?/[0-9]{0,18}(?:…|\.{2,})$", re.IGNORECASE)
"""An ellipsis after fewer digits than an id of today has."""

EXAMPLE = "https://x.com/NAME/status/NUMBER"


@dataclass(frozen=True, slots=True)
class Found:
    """What a text names: ids, each once and in order, and the reasons why other links in it name none."""

    tweet_ids: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def tweet_id(text: str) -> str:
    """The one id that a URL or a bare number names. Raises NotATweet with the reason."""
    found = tweet_ids(text).tweet_ids
    if len(found) > 1:
        raise NotATweet(f"{len(found)} tweets in one; name one at a time")
    return found[0]


def tweet_ids(text: str) -> Found:
    """Every tweet that a text names, whatever stands around the links. Raises NotATweet when it names none.

    Beside a tweet only broken status links are worth a reason: a text may hold links to anywhere.
    """
    plain = visible(text)
    if (number := _number(plain)) is not None:
        return Found((number,))
    words = _words(plain)
    ids: dict[str, None] = {}
    reasons: dict[str, bool] = {}
    for word in filter(_is_link, words):
        try:
            ids[_from_link(word)] = None
        except NotATweet as reason:
            reasons.setdefault(str(reason), "/status" in word.lower())
    if not ids and words and _is_long_id(words[0]):
        numbers = words if all(map(_is_long_id, words)) else words[:1]
        ids.update(dict.fromkeys(map(_checked, numbers)))
    if not ids:
        raise NotATweet(next(iter(reasons), None) or _no_link(plain, words))
    return Found(tuple(ids), tuple(reason for reason, is_status in reasons.items() if is_status))


def is_tweet(text: str) -> bool:
    """Whether a text is one tweet's address or a long id, and nothing else."""
    if len(text) < FEW_DIGITS or not ANY_DIGIT.search(text):  # most cells of a table; parsing is expensive
        return False
    plain = visible(text)
    words = _words(plain)
    if len(words) != 1 or (BARE_ID.fullmatch(words[0]) and not _is_long_id(words[0])):
        return False
    try:
        return len(tweet_ids(plain).tweet_ids) == 1
    except NotATweet:
        return False


def _is_long_id(word: str) -> bool:
    """Whether a word is a number that is no count, nor a place in a list."""
    return bool(BARE_ID.fullmatch(word)) and len(word) >= FEW_DIGITS


def _number(text: str) -> str | None:
    """The id when the text is a number alone; None when it is none. Raises NotATweet for a damaged one."""
    if match := TEXT_NUMBER.fullmatch(text):
        text = match.group(1)
    text = text.strip("<>\"'`()[]“”.,;")
    if BARE_ID.fullmatch(text) and not ROUNDED.fullmatch(text):
        return _checked(text)
    if NUMBER_CUT.fullmatch(text) or ROUNDED.fullmatch(text):
        raise NotATweet(
            "a spreadsheet cut the digits off this id; paste the URL or format the column as text"
        )
    return None


def _words(text: str) -> list[str]:
    """The parts of a text between blanks, brackets and quotes, without the punctuation around each."""
    if "&" in text:
        text = html.unescape(text)
    text = GLUED.sub(" ", text)
    parts = (part.replace("\\/", "/").lstrip(BEFORE_A_WORD) for part in BREAKS.split(text))
    words = (part if CUT_OFF.search(part) else part.rstrip(AFTER_A_WORD + "…") for part in parts)
    return [_unglued(word) for word in words if word]


def _unglued(word: str) -> str:
    """A word from its address on, when text stands before it without a blank; percent signs decoded."""
    if re.match("https?%3a", word, re.IGNORECASE):
        word = unquote(word)
    start = WEB_START.match(word)
    return word[start.end() :] if start else word


def _is_link(word: str) -> bool:
    return "://" in word or any(start.match(word) for start in (WEB_SCHEME, RELATIVE, HOST_FIRST))


def _from_link(word: str) -> str:
    """The id in one link. Raises NotATweet."""
    if CUT_OFF.search(word):
        raise NotATweet("the address is cut off (…); copy it whole")
    parts = _split(word)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https":
        raise NotATweet(f"not a web address: {printable(parts.scheme[:20])}; paste one like {EXAMPLE}")
    if host == "t.co":
        raise NotATweet("a t.co short link hides where it leads; open it and paste the address it ends at")
    query = parse_qs(parts.query)
    if any(host == name or host.endswith(f".{name}") for name in REDIRECTORS):
        for target in (value for name in TARGETS for value in query.get(name, ())):
            return _from_link(target)  # shorter than what it was taken from, so this ends
    if not is_our_site(host) or parts.port not in PORTS or "@" in parts.netloc:
        where = printable(parts.netloc[:60])
        raise NotATweet(f"not a tweet of x.com or twitter.com: {where}; paste one like {EXAMPLE}")
    path = f"{parts.path}#{parts.fragment}" if parts.fragment else parts.path
    if match := PATH.match(path):
        return _checked(match.group(1))
    if "/status" in path.lower():
        raise NotATweet(f"a status link without a usable id; paste one like {EXAMPLE}")
    raise NotATweet(f"a page of X, not a tweet; paste one like {EXAMPLE}")


def _split(word: str) -> SplitResult:
    """The parts of a link, whatever of it was left out. Raises NotATweet when it cannot be one."""
    if RELATIVE.match(word):
        word = f"https://x.com/{word.lstrip('/')}"
    elif WEB_SCHEME.match(word):
        word = WEB_SCHEME.sub("https://", word, count=1)
    elif "://" not in word:
        word = f"https://{word.lstrip('/')}"
    try:
        parts = urlsplit(word)
        _ = parts.port, parts.hostname
    except ValueError:
        raise NotATweet(f"not a web address; paste one like {EXAMPLE}") from None
    return parts


def _no_link(text: str, words: list[str]) -> str:
    """Why a text without any link names no tweet."""
    if not text:
        return "empty"
    for word in words:
        try:
            _number(word)
        except NotATweet as reason:
            return str(reason)
    if len(words) > 1:
        return f"no tweet's address in it; paste one like {EXAMPLE}"
    return f"not a tweet of x.com or twitter.com: {printable(text[:60])}; paste one like {EXAMPLE}"


def _checked(digits: str) -> str:
    number = int(digits)
    if not 0 < number <= LARGEST_ID:
        raise NotATweet("not a tweet id: out of range")
    return str(number)
