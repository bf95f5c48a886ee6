"""How many engagements a tweet will bring, and when: by its age, its counters, its author, what others brought. Pure.

Engagement fades: most of it follows the post within a day, a part comes slowly, and some tweets wake up late. How much
a tweet brings in all is estimated by what came against what should have come by its age, weighed with what is usual
(the mean of a Gamma-Poisson estimate, of which the usual counts as one engagement).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS, Counters, Kind

FAST, SLOW = 10.0, 40.0
"""Hours in which the fast and the slow part of a tweet's engagement fall to a third."""
SLOW_PART = 0.15
LEAST_AGE = 0.5
"""Hours: a tweet younger than this says little of what it will bring."""
LATE = 0.16
"""What comes late, at any time, as a part of the rest."""
LATE_HOURS = 168.0
USUAL: Mapping[Kind, float] = {RETWEETS: 25.0, REPLIES: 15.0, QUOTES: 5.0}
OF_ANOTHER = 5.0
"""Engagements of a kind that a tweet brings in all, where nothing was learnt yet."""


@dataclass(frozen=True, slots=True)
class Experience:
    """What tweets of other campaigns brought, on average."""

    sizes: Mapping[Kind, float] = field(default_factory=lambda: dict(USUAL))
    followers: float | None = None
    """Followers of their authors, on average."""
    campaigns: int = 0

    def usual(self, kind: Kind, followers: int | None) -> float:
        """What a tweet of an author with so many followers usually brings of a kind; more followers, less each."""
        size = max(0.1, self.sizes.get(kind, OF_ANOTHER))
        if followers is None or not self.followers:
            return size
        return size * min(4.0, max(0.3, math.sqrt((followers + 1) / (self.followers + 1))))


def share(hours: float) -> float:
    """Which part of a tweet's engagement has come by this age, what comes late left out."""
    age = max(0.0, hours)
    return -((1 - SLOW_PART) * math.expm1(-age / FAST) + SLOW_PART * math.expm1(-age / SLOW))


def size(counter: int | None, age: float, usual: float) -> float:
    """Engagements of a kind that a tweet of this age, in hours, will have brought in all."""
    if counter is None:
        return usual
    return max(float(counter), (counter + 1) / (share(max(age, LEAST_AGE)) + 1 / usual))


def sizes(counters: Counters, age: float, usual: Mapping[Kind, float]) -> dict[Kind, float]:
    """The same for every kind."""
    return {kind: size(counters.get(kind), age, expected) for kind, expected in usual.items()}


def rate(whole: float, begins: float, ends: float) -> float:
    """Engagements an hour between two ages of a tweet that brings so many in all; what comes late left out."""
    return whole * (share(ends) - share(begins)) / (ends - begins) if ends > begins else 0.0


def late(whole: float, hours: float) -> float:
    """Engagements that come late, in so many hours, on average: of a few tweets many, of most none."""
    return whole * LATE / LATE_HOURS * hours
