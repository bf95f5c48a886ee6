"""The one place that cleans what strangers wrote: texts, numbers, times, ids, handles.

Providers, imports and reports take a value of any type here and get one that UTF-8 and a document can hold, or
None for *unknown*. Nothing raises. The rules:

texts     Half characters (lone surrogates), control characters and noncharacters become U+FFFD; every kind of
          line break becomes a line feed. Bidirectional embeddings, overrides and isolates are left out: one that
          is never closed turns the words of ours that follow it. The marks that Arabic and Hebrew need stay.
          Character references of a provider (`&amp;`) are decoded once, where asked. What is too long is cut.
numbers   Whole, from 0 to 2^63 - 1. Text may group thousands by commas, blanks or apostrophes and may end in K,
          M or B ("1,234", "1.2K"). A dot parts decimals, so "1.234" is no whole number, and unknown.
times     Aware UTC, from 2000 to 2200: outside lies no post of anybody, but many a program's word for "unset".
ids       The digits of a number from 1 to 2^63 - 1, without leading zeros; never from a float, which lost some.
handles   1 to 15 of A-Z, a-z, 0-9 and _, without their @.
"""

from __future__ import annotations

import re
import reprlib
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from html import unescape
from html.entities import html5
from math import isfinite

from socap_cli.text import BIDI, LEFT_OUT

LONGEST_TEXT = 32_768
"""Characters; the longest posts have 25,000."""
LONGEST_LINE = 200
LONGEST_SAMPLE = 200
LONGEST_REFERENCE = 40
"""More than any character reference has."""
LARGEST_NUMBER = 2**63 - 1
LARGEST_REAL = 1e15
"""So that no sum of many is infinite."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

UNKNOWN_CHARACTER = "\ufffd"
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
UNWANTED = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff{BIDI}{NONCHARACTERS}]")
BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
NUMBER = re.compile(
    r"\+?([0-9]{1,3}(?:[, \u00a0\u202f'’][0-9]{3})+|[0-9]+)((?:\.[0-9]+)?)(?:e\+?([0-9]{1,2}))?\s?([kmb]?)",
    re.IGNORECASE,
)
GROUPING = re.compile(r"[, \u00a0\u202f'’]")
LONGEST_NUMBER = 40
FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
DIGITS = re.compile(r"0*([1-9][0-9]{0,18})")
HANDLE = re.compile(r"@?([A-Za-z0-9_]{1,15})")


def text(value: object, *, limit: int = LONGEST_TEXT, references: bool = False) -> str:
    """Text of at most `limit` characters; "" for what is neither text nor a whole number.

    With `references`, character references as HTML has them are decoded, once.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER:
        value = str(value)
    if not isinstance(value, str):
        return ""
    written = value[: limit + limit * (LONGEST_REFERENCE if references else 1)]
    if references and "&" in written:
        written = REFERENCE.sub(_referred, written)
    if UNWANTED.search(written):
        written = written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        written = UNWANTED.sub(UNKNOWN_CHARACTER, LEFT_OUT.sub("", BREAKS.sub("\n", written)))
    return written if len(written) <= limit else written[: limit - 1] + "…"


def _referred(match: re.Match[str]) -> str:
    """What a character reference stands for; a name that HTML does not know stays as it is."""
    named = match[0][1:] in html5
    return unescape(match[0]) if named or match[0][1] == "#" else match[0]


def one_line(value: object, *, limit: int = LONGEST_LINE, references: bool = False) -> str:
    """Text for a name, a title or a message: one line, single blanks."""
    return " ".join(text(value, limit=limit, references=references).split())


def number(value: object) -> int | None:
    """A count. None when it is not finite, negative, not whole, beyond 64 bits, or no number."""
    if isinstance(value, str):
        amount, is_rounded = _amount(value)
        value = int(amount) if amount is not None and (is_rounded or amount == int(amount)) else None
    elif isinstance(value, float) and isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST_NUMBER else None


def _amount(written: str) -> tuple[Decimal | None, bool]:
    """The amount that a text states, and whether it ends in K, M or B."""
    match = NUMBER.fullmatch(written.strip()) if len(written) <= LONGEST_NUMBER else None
    if match is None:
        return None, False
    whole, fraction, exponent, suffix = match.groups()
    amount = Decimal(GROUPING.sub("", whole) + fraction) * 10 ** int(exponent or 0)
    return amount * FACTORS[suffix.lower()], bool(suffix)


def real(value: object) -> float | None:
    """A weight or score: finite, no larger than 10^15 either way. A comma in text parts decimals or thousands."""
    if isinstance(value, str):
        value = value.strip()
        sign, text = (-1.0, value[1:]) if value[:1] in ("-", "−") else (1.0, value)
        if re.fullmatch(r"[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})", text):  # three digits are thousands
            text = text.replace(",", ".")
        amount, _ = _amount(text)
        value = None if amount is None else sign * float(amount)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if -LARGEST_REAL <= value <= LARGEST_REAL else None


def flag(value: object) -> bool | None:
    """Yes or no, also as 1 and 0 or as text; None when it is neither."""
    if isinstance(value, str):
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            value.strip().lower()
        )
    return bool(value) if isinstance(value, (bool, int)) and value in (0, 1) else None


def moment(value: object) -> datetime | None:
    """A time of `Thu Dec 04 09:56:34 +0000 2025` or ISO 8601 (UTC when it names no zone), without the locale."""
    with suppress(ValueError, OverflowError, TypeError, IndexError):
        if isinstance(value, str):
            written = value[:64].strip()
            is_iso = written[:1].isdecimal()
            value = datetime.fromisoformat(written) if is_iso else parsedate_to_datetime(written)
        if isinstance(value, datetime):
            utc = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
            return utc if EARLIEST <= utc < LATEST else None
    return None


def post_id(value: object) -> str | None:
    """The digits of a post's or an account's id, from a number or text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    if isinstance(value, int) and not 0 < value <= LARGEST_NUMBER:
        return None
    match = DIGITS.fullmatch(str(value)[:LONGEST_SAMPLE].strip())
    return match[1] if match and int(match[1]) <= LARGEST_NUMBER else None


user_id = post_id


def handle(value: object) -> str | None:
    """A well-formed handle as its account writes it; None for anything else."""
    match = HANDLE.fullmatch(value[:LONGEST_LINE].strip()) if isinstance(value, str) else None
    return match[1] if match else None


class _Sampler(reprlib.Repr):
    """Values of any depth and size, cut without being walked through."""

    def repr_int(self, x: int, level: int) -> str:
        """A number of thousands of digits has no text in Python."""
        return super().repr_int(x, level) if abs(x) <= LARGEST_NUMBER else "(a huge number)"


SAMPLER = _Sampler()
SAMPLER.maxlevel, SAMPLER.maxdict, SAMPLER.maxlist, SAMPLER.maxstring, SAMPLER.maxother = 3, 8, 8, 60, 60


def sample(value: object, *, limit: int = LONGEST_SAMPLE) -> str:
    """The beginning of a value of any type, for a log: one line, cleaned."""
    return one_line(SAMPLER.repr(value), limit=limit)
