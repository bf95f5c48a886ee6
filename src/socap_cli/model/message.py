"""What an alert says, before any channel's own format: who did what, on which tweet, and why it matters."""

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
    """Why these engagements are told together."""

    PERSON = "person"
    """Everything that one person did."""
    DIGEST = "digest"
    """Several people at once: many were due, or they had been held back."""
    BACKLOG = "backlog"
    """What was there before the campaign watched for it."""


@dataclass(frozen=True, slots=True)
class ToldEngagement:
    """One thing that a person did."""

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
class ToldPerson:
    """Somebody who engaged, why that matters, and what they did. Texts are clean; no channel's markup is in them."""

    user_id: str
    username: str
    name: str
    url: str
    score: float | None
    engagements: tuple[ToldEngagement, ...]
    is_vip: bool = False
    is_verified: bool = False
    followers: int | None = None
    bio: str = ""
    labels: tuple[str, ...] = ()
    reasons: tuple[tuple[str, float], ...] = ()
    """(username of an important follower, weight), heaviest first."""
    important_followers: int = 0
    """How many important followers there are, shown or not."""
    organisation: str = ""
    """"third of Fund Z in this campaign"."""
    report_url: str = ""
    left_out: int = 0
    """Engagements that are told by number only."""

    @property
    def count(self) -> int:
        """How many engagements are told."""
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
        """Why it matters, in one phrase."""
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
        """Verified, followers, labels, in one phrase."""
        parts = ["verified"] if self.is_verified else []
        if self.followers is not None:
            parts.append("1 follower" if self.followers == 1 else f"{self.followers:,} followers")
        return " · ".join([*parts, *self.labels])


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one receiver. `thread` is the same for a campaign's messages of a day."""

    message_id: str
    """The same when it is sent again."""
    kind: MessageKind
    campaign_id: str
    campaign_name: str
    title: str
    """One line that names the campaign."""
    people: tuple[ToldPerson, ...]
    thread: str
    created_at: datetime
    may_be_repeated: bool = False
    """Whether it was sent before and may have arrived."""
    report_url: str = ""

    @property
    def engagements(self) -> int:
        """How many engagements it tells."""
        return sum(person.count for person in self.people)


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
        """When what comes up at this moment is told; None for at once."""
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
    """Whether VIPs wait too."""

    def __str__(self) -> str:
        vips = " vips" if self.hold_vips else ""
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}{vips}"

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours end that hold at this moment; None when none do."""
        local = now.astimezone(ZoneInfo(self.zone))
        clock = local.time().replace(tzinfo=None)
        crosses = self.end < self.start
        inside = clock >= self.start or clock < self.end if crosses else self.start <= clock < self.end
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if crosses and clock >= self.start else 0)
        end = datetime.combine(day, self.end, ZoneInfo(self.zone)).astimezone(UTC)
        # Where the clock was put back within the hour, the end of that name may lie behind us: the later one holds.
        return (
            end
            if end > now
            else datetime.combine(day, self.end, ZoneInfo(self.zone)).replace(fold=1).astimezone(UTC)
        )


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
    match = RECEIVER_NOTATION.fullmatch(text.strip())
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


@lru_cache(maxsize=256)
def parse_digest(text: str) -> Digest:
    """`off`, `hourly`, `daily`, `daily 08:00 Europe/Berlin`. Raises ValueError."""
    text = text.strip()
    if text in ("off", "hourly"):
        return Digest(text)
    match = DIGEST_NOTATION.fullmatch(text)
    if match is None or int(match[1] or 0) > 23:
        raise ValueError("is no digest: there are off, hourly, daily, daily 08:00 Europe/Berlin")
    zone = match[3] or "UTC"
    zone_of(zone)
    return Digest("daily", time(int(match[1]), int(match[2])) if match[1] else MORNING, zone)


@lru_cache(maxsize=256)
def parse_quiet_hours(text: str) -> QuietHours:
    """`22:00-07:00 Europe/Berlin`; without a zone UTC; `vips` behind it holds VIPs too. Raises ValueError."""
    match = QUIET_HOURS_NOTATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no span of hours: write it like 22:00-07:00 Europe/Berlin")
    hours = [int(part) for part in match.groups()[:4]]
    if hours[0] > 23 or hours[2] > 23:
        raise ValueError("has an hour that no clock shows")
    start, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    if start == end:
        raise ValueError("begins when it ends: leave it out for no quiet hours")
    zone = match[5] or "UTC"
    zone_of(zone)
    return QuietHours(start, end, zone, hold_vips=bool(match[6]))


def zone_of(text: str) -> ZoneInfo:
    """The zone of that name. Raises ValueError."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"names no time zone that is known here: {text}; write it like Europe/Berlin"
        ) from None
