"""No secret comes back: what a server echoes is masked before anybody sees or stores it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from socap_cli.direction_marks import LEFT_OUT

MASK = "***"
SHORTEST = 4
"""A shorter secret than this is no secret, and would mask words."""
SHORTEST_IN_BODIES = 8
SHORTEST_PART = 6
"""Parts of a URL from this length on are masked by themselves, too."""
WORDS_OF_PATHS = frozenset({"services", "webhook", "webhooks", "workflows", "triggers", "incoming", "alerts"})
LONGEST_SEARCHED = 20_000
"""Characters of a message that are looked at; no more of it is ever shown."""
REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
"""As `html.escape` has them, without the two thousand names that its module brings to the start of every command."""


class Mask:
    """Masks the secrets of one connection, also where characters of them are percent-encoded or escaped."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known = tuple(secret for secret in secrets if len(secret) >= SHORTEST)
        self._in_bodies = [s.encode() for s in self._known if len(s) >= SHORTEST_IN_BODIES]

    def __call__(self, message: str) -> str:
        """A message without the secrets, and without marks that are left out later: one may stand in a secret."""
        message = LEFT_OUT.sub("", message[:LONGEST_SEARCHED])
        if not self._known or len(message) < SHORTEST:
            return message
        return _pattern(self._known).sub(MASK, message)

    def body(self, body: bytes) -> bytes:
        """An answer without the secrets as they are: a fast look at whatever is stored of it."""
        for secret in self._in_bodies:
            body = body.replace(secret, MASK.encode())
        return body


def secrets_of(url: str) -> tuple[str, ...]:
    """What of an address must not come back: its whole, its path, and every long part of it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    pieces = re.split(r"[/?&=;:@#]", f"{parts.netloc.rpartition('@')[0]}/{target}/{parts.fragment}")
    long = (piece for piece in pieces if len(piece) >= SHORTEST_PART and piece not in WORDS_OF_PATHS)
    whole = [url, url.partition("://")[2], target, parts.path, parts.path.strip("/")]
    found = [*whole, *long]
    return tuple(dict.fromkeys(sorted((*found, *map(unquote, found)), key=len, reverse=True)))


@lru_cache(maxsize=256)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    """Any of these; kept, as compiling it costs more than sending a message."""
    return re.compile("|".join(map(_spelled, secrets)), re.IGNORECASE)


def _spelled(secret: str) -> str:
    return "".join(f"(?:{'|'.join(_spellings(character))})" for character in secret)


def _spellings(character: str) -> tuple[str, ...]:
    """A character as JSON, Python and HTML escape it, percent-encoded once or twice, and, last, as it is."""
    code, reference = ord(character), REFERENCES.get(character, character)
    return (
        rf"\\{{1,4}}(?:u00|x){code:02x}",
        f"&#(?:0*{code}|x0*{code:x});",
        f"%(?:25)?{code:02x}",
        *([re.escape(reference)] if reference != character else ()),  # the same twice would be tried 2ⁿ times
        rf"\\{{0,4}}{re.escape(character)}",
    )
