"""The content of a message (who did what, on which tweet, why it matters), and how recipients are written."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

SHOWN_REASONS = 3


class MessageKind(StrEnum):
    """Why these engagements share a message."""

    PERSON = "person"
    """Everything that one person did."""
    DIGEST = "digest"
    """Several people: many were due at once, or they were held together."""
    BACKLOG = "backlog"
    """The baseline: what was there before monitoring started."""


@dataclass(frozen=True, slots=True)
class MessageEngagement:
    engagement_id: str
    action_type: str
    verb: str
    """"replied to"."""
    url: str
    tweet_id: str
    tweet_url: str
    tweet_label: str
    """"@ann's tweet"."""
    tweet_category: str
    """client, influencer, investor; empty when the tweet left the campaign."""
    at: datetime
    text: str = ""
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class MessagePerson:
    """Somebody who engaged, and why that matters. Texts are clean and without any channel's markup."""

    user_id: str
    username: str
    name: str
    url: str
    score: float | None
    engagements: tuple[MessageEngagement, ...]
    is_vip: bool = False
    is_verified: bool = False
    followers: int | None = None
    bio: str = ""
    labels: tuple[str, ...] = ()
    reasons: tuple[tuple[str, float], ...] = ()
    """(username of an important follower, weight), heaviest first."""
    important_followers: int = 0
    """Shown or not."""
    organisation: str = ""
    """"third of Fund Z in this campaign"."""
    report_url: str = ""
    left_out: int = 0
    """Engagements that are not listed."""

    @property
    def count(self) -> int:
        return len(self.engagements) + self.left_out

    @property
    def deed(self) -> str:
        """ "replied to @ann's tweet", or how often for several."""
        first = self.engagements[0]
        if self.count == 1:
            return f"{first.verb} {first.tweet_label}"
        return f"engaged {self.count} times: {', '.join(dict.fromkeys(e.verb for e in self.engagements))}"

    @property
    def why(self) -> str:
        parts = [f"importance {self.score:g}"] if self.score is not None else []
        parts.append(self.followed_by)
        parts.append(self.organisation)
        return " · ".join(part for part in parts if part)

    @property
    def followed_by(self) -> str:
        """ "followed by @a (5), @b (4) and 7 more of your list"."""
        shown = self.reasons[:SHOWN_REASONS]
        if not shown:
            return ""
        names = ", ".join(f"@{username} ({weight:g})" for username, weight in shown)
        more = max(self.important_followers, len(self.reasons)) - len(shown)
        return f"followed by {names}" + (f" and {more:,} more of your list" if more > 0 else "")

    @property
    def who_they_are(self) -> str:
        parts = ["verified"] if self.is_verified else []
        if self.followers is not None:
            parts.append("1 follower" if self.followers == 1 else f"{self.followers:,} followers")
        return " · ".join([*parts, *self.labels])


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one recipient. `thread` is the same for a campaign's messages of a day."""

    message_id: str
    """The same when it is sent again."""
    kind: MessageKind
    campaign_id: str
    campaign_name: str
    title: str
    people: tuple[MessagePerson, ...]
    thread: str
    created_at: datetime
    may_be_repeated: bool = False
    """It was sent before and may have arrived."""
    report_url: str = ""
    left_out: int = 0
    """People in it who are not listed: a summary lists the most important."""


MORNING = time(8, 0)


@dataclass(frozen=True, slots=True)
class Digest:
    """`off`: at once. `hourly`: at the next full hour. `daily`: at an hour of the day in a time zone."""

    every: str = "off"
    at: time = MORNING
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"daily {self.at:%H:%M} {self.zone}" if self.every == "daily" else self.every

    def next_after(self, moment: datetime) -> datetime | None:
        """When an alert of this moment goes out; None for at once."""
        if self.every == "hourly":
            return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        if self.every != "daily":
            return None
        zone = ZoneInfo(self.zone)
        day = moment.astimezone(zone).date()
        days = (datetime.combine(day + timedelta(days=n), self.at, zone).astimezone(UTC) for n in range(3))
        return next(then for then in days if then > moment)


AT_ONCE = Digest()

RECEIVER_NOTATION = re.compile(
    r"(?P<channel>[A-Za-z][A-Za-z0-9_-]{0,29})(?:=(?P<address>.+?))?(?P<options>(?:,(?:min|digest)=[^,=]+)*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A channel with its usual addresses, or one address of it."""

    channel: str
    address: str | None = field(default=None, repr=False)
    """None: the channel's own for the campaign."""
    min_importance: float = 0.0
    """VIPs always."""
    digest: Digest = AT_ONCE
    """For all but VIPs."""

    @property
    def spelling(self) -> str:
        """As `parse_receiver` reads it. Holds the address."""
        minimum = f",min={self.min_importance:g}" if self.min_importance else ""
        digest = f",digest={self.digest}" if self.digest != AT_ONCE else ""
        return f"{self.channel}{'=' if self.address else ''}{self.address or ''}{minimum}{digest}"


DIGEST_NOTATION = re.compile(r"daily(?:\s+([0-2]?[0-9]):([0-5][0-9])(?:\s+([A-Za-z0-9_+/-]{1,64}))?)?")

QUIET_HOURS_NOTATION = re.compile(
    r"([0-2]?[0-9]):([0-5][0-9])\s*-\s*([0-2]?[0-9]):([0-5][0-9])(?:\s+([A-Za-z0-9_+/-]{1,64}))?(\s+vips)?"
)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` up to `end` of every day; over midnight when the end is the earlier one."""

    start: time
    end: time
    zone: str = "UTC"
    hold_vips: bool = False

    def __str__(self) -> str:
        vips = " vips" if self.hold_vips else ""
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}{vips}"

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours of this moment end; None outside of them."""
        local = now.astimezone(ZoneInfo(self.zone))
        clock = local.time().replace(tzinfo=None)
        crosses = self.end < self.start
        inside = clock >= self.start or clock < self.end if crosses else self.start <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if crosses and clock >= self.start else 0)
        end = datetime.combine(day, self.end, ZoneInfo(self.zone))
        # When the clock is put back within the hour there are two ends: the one that is not over yet.
        return next((at for fold in (0, 1) if (at := end.replace(fold=fold).astimezone(UTC)) > now), None)


def public_spelling(text: str) -> str:
    """A recipient as people may see it: an address that is a URL is a secret."""
    try:
        receiver = parse_receiver(text)
    except ValueError:
        return text.partition("=")[0]
    is_secret = "://" in (receiver.address or "")
    return replace(receiver, address="(set)").spelling if is_secret else receiver.spelling


def parse_receiver(text: str) -> Receiver:
    """`slack`, `slack,min=50`, `email=boss@fund.example,digest=hourly`. Raises ValueError that repeats no address."""
    match = RECEIVER_NOTATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            "is not a recipient: write CHANNEL or CHANNEL=ADDRESS, then ,min=IMPORTANCE or ,digest=WHEN"
        )
    pairs = [option.partition("=")[::2] for option in match["options"].split(",")[1:]]
    options = dict(pairs)
    if len(options) < len(pairs):
        raise ValueError("has a duplicate option")
    try:
        minimum = float(options.get("min", 0))
    except ValueError:
        minimum = math.nan
    if not 0 <= minimum < math.inf:
        raise ValueError("min= must be a number")
    return Receiver(
        match["channel"].lower(), match["address"], minimum, parse_digest(options.get("digest", "off"))
    )


def address_id(channel: str, address: str) -> str:
    """Names an address, which may be a secret, without revealing it."""
    return f"{channel}:{hashlib.sha256(address.encode('utf-8', 'replace')).hexdigest()[:12]}"


@lru_cache(maxsize=256)
def parse_digest(text: str) -> Digest:
    """`off`, `hourly`, `daily`, `daily 08:00 Europe/Berlin`. Raises ValueError."""
    text = text.strip()
    if text in ("off", "hourly"):
        return Digest(text)
    match = DIGEST_NOTATION.fullmatch(text)
    if match is None or int(match[1] or 0) > 23:
        raise ValueError("is not a digest: use off, hourly, daily or daily 08:00 Europe/Berlin")
    zone = match[3] or "UTC"
    zone_of(zone)
    return Digest("daily", time(int(match[1]), int(match[2])) if match[1] else MORNING, zone)


@lru_cache(maxsize=256)
def parse_quiet_hours(text: str) -> QuietHours:
    """`22:00-07:00 Europe/Berlin`; without a zone UTC; with ` vips` it holds VIPs too. Raises ValueError."""
    match = QUIET_HOURS_NOTATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a span of hours: write it like 22:00-07:00 Europe/Berlin")
    hours = [int(part) for part in match.groups()[:4]]
    if hours[0] > 23 or hours[2] > 23:
        raise ValueError("has an invalid time")
    start, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    if start == end:
        raise ValueError("starts when it ends: leave it out for no quiet hours")
    zone = match[5] or "UTC"
    zone_of(zone)
    return QuietHours(start, end, zone, hold_vips=bool(match[6]))


def zone_of(text: str) -> ZoneInfo:
    """Raises ValueError."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"has an unknown time zone: {text}; write it like Europe/Berlin") from None
