"""Engagements: who did what to a tweet, when, and how much they matter."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from socap_cli.model.account import ListItem, Profile
from socap_cli.model.kinds import LISTS, Counters, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Importance:
    """How much an account matters, and why. `score` is None when it could not be looked up."""

    score: float | None
    reasons: tuple[tuple[str, float], ...] = ()
    """(username of the important follower, weight), the five heaviest first."""
    followers: int = 0
    """Important followers in all, those among the reasons included."""


def engagement_id(tweet_id: str, kind: Kind, source_id: str) -> str:
    """The id that an engagement has whoever finds it, and however often."""
    return f"{tweet_id}:{LISTS[kind].action_type}:{source_id}"


@dataclass(frozen=True, slots=True)
class Engagement:
    engagement_id: str
    tweet_id: str
    action_type: str
    source_id: str
    """The user for a retweet, the post's own id otherwise."""
    profile: Profile
    importance: Importance
    categories: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    backfill: bool
    """Found by the first pass: it was there before its tweet was watched."""
    engaged_at: datetime | None = None
    """None when the provider gave none: that of a retweet on twitterapi.io."""
    text: str | None = None
    organisations: tuple[str, ...] = ()
    """What the account's bio, name or handle names, by the rules for organisations."""
    removed_at: datetime | None = None
    """When a full pass did not find it any more."""

    @property
    def at(self) -> datetime:
        """When it happened, or, when nobody says, when it was seen first."""
        return self.engaged_at or self.first_seen_at


@dataclass(frozen=True, slots=True)
class FoundEngagement:
    """An item as a page showed it, enriched: what is stored when it is new."""

    tweet_id: str
    kind: Kind
    item: ListItem
    importance: Importance
    categories: tuple[str, ...]
    pass_number: int
    scan: int
    backfill: bool
    now: datetime
    organisations: tuple[str, ...] = ()

    @property
    def engagement_id(self) -> str:
        return engagement_id(self.tweet_id, self.kind, self.item.source_id)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What was stored of an item before its page was read."""

    first_pass: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every counter of a tweet at one moment."""

    tweet_id: str
    captured_at: datetime
    counters: Counters


OTHERS = "others"


@dataclass(frozen=True)
class Rule:
    """A label with what gives it. What is looked for is worked out once."""

    label: str
    words: tuple[str, ...] = ()
    """Words and phrases that must stand as whole words, whatever their case: not "cto" in "director"."""
    patterns: tuple[str, ...] = ()
    """Regular expressions that must match as whole words."""
    unless: tuple[str, ...] = ()
    """Labels beside which this one is not given."""

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The whole rule as one expression. Raises re.error for a pattern that is none."""
        words = (r"\s+".join(map(re.escape, word.split())) for word in self.words)
        parts = [*words, *(f"(?:{pattern})" for pattern in self.patterns)]
        return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)" if parts else r"(?!)", re.IGNORECASE)

    @cached_property
    def plain_words(self) -> tuple[str, ...]:
        """The words as `_plain` writes a text."""
        return tuple(map(_plain, self.words))


@dataclass(frozen=True, slots=True)
class LabelRules:
    """The categories of accounts, in order, and the organisations that bios name."""

    categories: tuple[Rule, ...] = ()
    organisations: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that holds for a text, and the part of it that says so."""

    label: str
    found: str
    overruled_by: str | None = None
    """Another label beside which this one is not given."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Delays in seconds: how many there are, their median, and what nine of ten do not exceed."""

    count: int
    median: float
    ninety: float


@dataclass(frozen=True, slots=True)
class Detection:
    """Of replies and quotes, which tell when they happened; None where nothing is known."""

    stored: Delay | None = None
    told: Delay | None = None
    """To the first alert that arrived."""


BACKFILL, TIMED = 1, 2
"""Flags of columns: part of the baseline; carries a time of its own."""


@dataclass(frozen=True, slots=True)
class EngagementColumns:
    """Present engagements of some tweets, a row each; `tweet` and `action` are places in `tweets` and `actions`."""

    tweets: tuple[str, ...]
    actions: tuple[str, ...]
    label_names: tuple[str, ...]
    """Bit n of `labels` stands for the label n."""
    tweet: NDArray[Any]
    action: NDArray[Any]
    source: NDArray[Any]
    user: NDArray[Any]
    labels: NDArray[Any]
    score: NDArray[Any]
    at: NDArray[Any]
    flags: NDArray[Any]
    texts: dict[int, str] = field(default_factory=dict)
    """Ids that are not plain numbers, by the number that stands for them."""

    def __len__(self) -> int:
        return len(self.user)

    def engagement_id(self, row: int) -> str:
        """The id of a row's engagement."""
        number = int(self.source[row])
        source = self.texts.get(number, str(number))
        return f"{self.tweets[self.tweet[row]]}:{self.actions[self.action[row]]}:{source}"


MEMORY = 3.0
"""Hours after which an observation counts for a third of itself."""


@dataclass(frozen=True, slots=True)
class Velocity:
    """Hours of watching and the engagements that came in them, both fading alike."""

    hours: float = 0.0
    engagements: Mapping[Kind, float] = field(default_factory=dict)

    def per_hour(self, kind: Kind, *, expected: float, weight: float) -> float:
        """Engagements an hour; `expected` counts as so many hours (`weight`) of watching.

        The mean of a Gamma-Poisson estimate with discounted evidence (West and Harrison, 1997, ch. 14).
        """
        return (self.engagements.get(kind, 0.0) + expected * weight) / (self.hours + weight)


def categorize(profile: Profile, rules: LabelRules) -> tuple[str, ...]:
    """The categories of an account, in the rules' order; `others` when none holds."""
    found = matches(_text_of(profile), rules.categories)
    return tuple(match.label for match in found if match.overruled_by is None) or (OTHERS,)


def organisations_of(profile: Profile, rules: LabelRules) -> tuple[str, ...]:
    """The organisations that an account names in its bio, name or handle."""
    return tuple(match.label for match in matches(_text_of(profile), rules.organisations))


def _text_of(profile: Profile) -> str:
    return f"{profile.bio} \n {profile.name} \n {profile.username}"


def matches(text: str, rules: Iterable[Rule]) -> tuple[Match, ...]:
    """Every rule that holds for a text, with what it found and what overrules it."""
    plain, found = _plain(text), []
    for rule in rules:
        # Most rules hold for nobody: a plain search tells so much faster than an expression.
        may_hold = rule.patterns or any(word in plain for word in rule.plain_words)
        if may_hold and (match := rule.expression.search(text)):
            found.append((rule, match.group()))
    labels = {rule.label for rule, _ in found}
    return tuple(
        Match(rule.label, part, next((other for other in rule.unless if other in labels), None))
        for rule, part in found
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def delay_of(seconds: Iterable[float]) -> Delay | None:
    """Median and 90th percentile by nearest rank; None of nothing. A clock that differs makes no delay negative."""
    found = sorted(max(0.0, one) for one in seconds)
    if not found:
        return None
    median, ninety = (found[math.ceil(part * len(found)) - 1] for part in (0.5, 0.9))
    return Delay(len(found), median, ninety)


def velocity_after(before: Velocity, old: Counters, new: Counters, *, hours: float) -> Velocity:
    """The velocity after counters were read again `hours` later. What fell or is unknown counts as nothing new."""
    if hours <= 0:
        return before
    kept, counts = math.exp(-hours / MEMORY), {}
    for kind in LISTS:
        then, now = old.get(kind), new.get(kind)
        came = max(0, now - then) if then is not None and now is not None else 0
        counts[kind] = before.engagements.get(kind, 0.0) * kept + came
    return Velocity(before.hours * kept + hours, counts)
