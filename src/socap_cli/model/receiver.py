"""Who is told over which channel, and from which importance on."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field, replace

NOTATION = re.compile(
    r"(?P<channel>[a-z][a-z0-9_-]{0,29})(?:=(?P<address>.+?))?(?:,min=(?P<minimum>[^,=]+))?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A channel with its usual addresses, or one address of it."""

    channel: str
    address: str | None = field(default=None, repr=False)
    """None: those that the channel has for the campaign."""
    min_importance: float = 0.0
    """Told from this importance on; VIPs always."""

    @property
    def spelling(self) -> str:
        """As `parse_receiver` reads it. Holds the address."""
        minimum = f",min={self.min_importance:g}" if self.min_importance else ""
        return f"{self.channel}{'=' if self.address else ''}{self.address or ''}{minimum}"


def public_spelling(text: str) -> str:
    """A receiver as people may see it: an address that is a URL is a secret, and only said to be set."""
    try:
        receiver = parse_receiver(text)
    except ValueError:
        return text.partition("=")[0]
    is_secret = "://" in (receiver.address or "")
    return replace(receiver, address="(set)").spelling if is_secret else receiver.spelling


def parse_receiver(text: str) -> Receiver:
    """`slack`, `slack,min=50`, `email=boss@fund.example,min=50`. Raises ValueError that repeats no address."""
    match = NOTATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no receiver: write CHANNEL, CHANNEL=ADDRESS, and ,min=IMPORTANCE behind it")
    try:
        minimum = float(match["minimum"] or 0)
    except ValueError:
        minimum = math.nan
    if not 0 <= minimum < math.inf:
        raise ValueError("has a min= that is no importance")
    return Receiver(match["channel"], match["address"], minimum)


def address_id(channel: str, address: str) -> str:
    """Names an address without telling it: it may be a secret."""
    return f"{channel}:{hashlib.sha256(address.encode('utf-8', 'replace')).hexdigest()[:12]}"
