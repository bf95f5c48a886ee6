"""Who is told over which channel, from which importance on, and when."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field, replace

from socap_cli.model.digest import Digest, parse_digest

AT_ONCE = Digest()
NOTATION = re.compile(
    r"(?P<channel>[A-Za-z][A-Za-z0-9_-]{0,29})(?:=(?P<address>.+?))?(?P<options>(?:,(?:min|digest)=[^,=]+)*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A channel with its usual addresses, or one address of it."""

    channel: str
    address: str | None = field(default=None, repr=False)
    """None: those that the channel has for the campaign."""
    min_importance: float = 0.0
    """Told from this importance on; VIPs always."""
    digest: Digest = AT_ONCE
    """When this receiver is told of what is not urgent."""

    @property
    def spelling(self) -> str:
        """As `parse_receiver` reads it. Holds the address."""
        minimum = f",min={self.min_importance:g}" if self.min_importance else ""
        digest = f",digest={self.digest}" if self.digest != AT_ONCE else ""
        return f"{self.channel}{'=' if self.address else ''}{self.address or ''}{minimum}{digest}"


def public_spelling(text: str) -> str:
    """A receiver as people may see it: an address that is a URL is a secret, and only said to be set."""
    try:
        receiver = parse_receiver(text)
    except ValueError:
        return text.partition("=")[0]
    is_secret = "://" in (receiver.address or "")
    return replace(receiver, address="(set)").spelling if is_secret else receiver.spelling


def parse_receiver(text: str) -> Receiver:
    """`slack`, `slack,min=50`, `email=boss@fund.example,digest=hourly`. Raises ValueError that repeats no address."""
    match = NOTATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "is no receiver: write CHANNEL, CHANNEL=ADDRESS, and ,min=IMPORTANCE or ,digest=WHEN behind it"
        )
    pairs = [option.partition("=")[::2] for option in match["options"].split(",")[1:]]
    options = dict(pairs)
    if len(options) < len(pairs):
        raise ValueError("says the same twice")
    try:
        minimum = float(options.get("min", 0))
    except ValueError:
        minimum = math.nan
    if not 0 <= minimum < math.inf:
        raise ValueError("has a min= that is no importance")
    return Receiver(
        match["channel"].lower(), match["address"], minimum, parse_digest(options.get("digest", "off"))
    )


def address_id(channel: str, address: str) -> str:
    """Names an address without telling it: it may be a secret."""
    return f"{channel}:{hashlib.sha256(address.encode('utf-8', 'replace')).hexdigest()[:12]}"
