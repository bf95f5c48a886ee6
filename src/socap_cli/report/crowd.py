"""Sums over everybody who engaged, from columns. Pure.

A time is known when an engagement carries one, or when monitoring saw it appear; a retweet that the first pass
found was there before, nobody knows since when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socap_cli.model.columns import BACKFILL, TIMED, EngagementColumns
from socap_cli.model.labels import OTHERS
from socap_cli.report.analytics import Audience

Numbers = NDArray[Any]
BEFORE = 0
"""Stands for "before monitoring began" where an account's first engagement is asked for."""


@dataclass(frozen=True, slots=True)
class Head:
    """How many there are, how many of them since a moment, and how many were there before monitoring."""

    count: int
    lately: int
    before: int


@dataclass(frozen=True)
class Crowd:
    """All present engagements of a campaign, and from which importance an account counts as important."""

    columns: EngagementColumns
    threshold: float

    @cached_property
    def user(self) -> Numbers:
        return np.frombuffer(self.columns.user, np.int64)

    @cached_property
    def at(self) -> Numbers:
        return np.frombuffer(self.columns.at, np.uint32)

    @cached_property
    def backfill(self) -> Numbers:
        return (np.frombuffer(self.columns.flags, np.uint8) & BACKFILL) > 0

    @cached_property
    def timed(self) -> Numbers:
        return (np.frombuffer(self.columns.flags, np.uint8) & TIMED) > 0

    @cached_property
    def score(self) -> Numbers:
        return np.frombuffer(self.columns.score, np.float32)

    @cached_property
    def tweet(self) -> Numbers:
        return np.frombuffer(self.columns.tweet, np.uint32)

    @cached_property
    def action(self) -> Numbers:
        return np.frombuffer(self.columns.action, np.uint8)

    @cached_property
    def _people(self) -> tuple[Numbers, Numbers]:
        people, person = np.unique(self.user, return_inverse=True)
        return people, person.astype(np.int32)

    @property
    def people(self) -> Numbers:
        """Everybody, once."""
        return self._people[0]

    @property
    def person(self) -> Numbers:
        """Per engagement, the place of its account in `people`."""
        return self._people[1]

    @cached_property
    def importance(self) -> Numbers:
        """Per person, the highest known score; below 0 when none is known."""
        best = np.full(len(self.people), -1, np.float32)
        np.maximum.at(best, self.person, np.nan_to_num(self.score, nan=-1))
        return best

    @cached_property
    def is_important(self) -> Numbers:
        """Per person, whether it is at or over the threshold."""
        return self.importance >= np.float32(max(self.threshold, 0))

    @cached_property
    def since(self) -> Numbers:
        """Per engagement, when monitoring saw it happen; `BEFORE` for what was there."""
        return np.where(self.backfill, BEFORE, self.at).astype(np.int64)

    @cached_property
    def first(self) -> Numbers:
        """Per person, the earliest `since`."""
        earliest = np.full(len(self.people), np.iinfo(np.int64).max)
        np.minimum.at(earliest, self.person, self.since)
        return earliest

    def heads(self, moment: datetime | None) -> dict[str, Head]:
        """People, important people and engagements: how many, new after a moment, before monitoring."""
        after = int(moment.timestamp()) if moment else 0
        firsts = {
            "people": self.first,
            "important": self.first[self.is_important],
            "engagements": self.since,
        }
        return {
            name: Head(len(times), int((times > after).sum()), int((times == BEFORE).sum()))
            for name, times in firsts.items()
        }

    def counted_at(self, moments: Sequence[datetime]) -> dict[str, tuple[int, ...]]:
        """The same three as they stood at each moment, as far as they are still there."""
        grid = np.array([int(moment.timestamp()) for moment in moments], np.int64)
        size = len(grid) + 1
        firsts = {
            "people": self.first,
            "important": self.first[self.is_important],
            "engagements": self.since,
        }
        return {
            name: tuple(np.cumsum(np.bincount(np.searchsorted(grid, times), minlength=size))[:-1].tolist())
            for name, times in firsts.items()
        }

    def by_action(self) -> dict[str, int]:
        """Engagements of each action."""
        counts = np.bincount(self.action, minlength=len(self.columns.actions))
        return {name: int(counts[n]) for n, name in enumerate(self.columns.actions)}

    def people_by_label(self) -> dict[str, int]:
        """People, not engagements, of each label; one can have several. The most first, those without any last."""
        labels = np.frombuffer(self.columns.labels, np.uint64)
        masks = np.zeros(len(self.people), np.uint64)
        np.bitwise_or.at(masks, self.person, labels)
        counts = {
            name: int(((masks >> np.uint64(bit)) & np.uint64(1)).sum())
            for bit, name in enumerate(self.columns.label_names)
        }
        known = sorted(counts.items(), key=lambda row: (row[0] == OTHERS, -row[1], row[0]))
        return {name: count for name, count in known if count}

    def audiences(self, group_of: Mapping[str, str] | None = None) -> dict[str, Audience]:
        """People per tweet, or per group of tweets, and how many of them no other one reached.

        The same as `analytics.amplification` over sets of accounts.
        """
        names = [group_of[tweet] if group_of else tweet for tweet in self.columns.tweets]
        groups = list(dict.fromkeys(names))
        if not len(self.user):
            return {}
        group = np.array([groups.index(name) for name in names], np.int64)[self.tweet]
        person, place = _pairs(self.person, group, len(groups))
        alone = np.bincount(person, minlength=len(self.people)) == 1
        people = np.bincount(place, minlength=len(groups))
        only = np.bincount(place[alone[person]], minlength=len(groups))
        return {name: Audience(int(people[n]), int(only[n])) for n, name in enumerate(groups)}

    def of_tweets(self, moment: datetime | None) -> dict[str, dict[str, int]]:
        """Per tweet: engagements of each action, `all`, those after a moment as `lately`, important `people`."""
        after = int(moment.timestamp()) if moment else 0
        number, size = len(self.columns.actions), len(self.columns.tweets)
        grid = np.bincount(
            self.tweet.astype(np.int64) * max(number, 1) + self.action, minlength=size * max(number, 1)
        )
        lately = np.bincount(self.tweet[self.since > after], minlength=size)
        weighty = self.is_important[self.person]
        _, place = _pairs(self.person[weighty], self.tweet[weighty], max(size, 1))
        important = np.bincount(place, minlength=size)
        return {
            tweet: {
                **{name: int(grid[n * number + a]) for a, name in enumerate(self.columns.actions)},
                "all": int(grid[n * number : (n + 1) * number].sum()),
                "lately": int(lately[n]),
                "important": int(important[n]),
            }
            for n, tweet in enumerate(self.columns.tweets)
        }

    def first_important(self, starts_at: datetime) -> tuple[timedelta | None, int]:
        """(time from the start to the first engagement by an important person that has a time, how many important
        people were there before monitoring at an unknown time). A time before the start is no such time.
        """
        begin = int(starts_at.timestamp())
        known = self.is_important[self.person] & (self.timed | ~self.backfill)
        times = self.at[known & (self.at >= begin)]
        after = timedelta(seconds=int(times.min()) - begin) if len(times) else None
        return after, int((self.first[self.is_important] == BEFORE).sum())

    def hours(self) -> dict[int, int]:
        """Replies and quotes by the hour since 1970 that they are in: their times are known."""
        hours, counts = np.unique(self.at[self.timed] // 3600, return_counts=True)
        return dict(zip(hours.tolist(), counts.tolist(), strict=True))

    def newest(self, limit: int) -> list[str]:
        """The ids of the latest engagements whose time is known, the latest first."""
        rows = _first(-self.at.astype(np.int64), limit, among=np.flatnonzero(self.timed | ~self.backfill))
        return [self.columns.engagement_id(int(row)) for row in rows]

    def most_important(self, limit: int) -> list[str]:
        """The ids of the engagements of the most important accounts, the most important first, then the latest."""
        rank = -self.importance[self.person].astype(np.float64) * 2**32 - self.at
        return [self.columns.engagement_id(int(row)) for row in _first(rank, limit)]

    def leaders(self, limit: int) -> list[str]:
        """The ids of all engagements of the most important people: at most so many people, score over 0."""
        order = np.argsort(-self.importance, kind="stable")[:limit]
        chosen = np.zeros(len(self.people), bool)
        chosen[order[self.importance[order] > 0]] = True
        return [self.columns.engagement_id(int(row)) for row in np.flatnonzero(chosen[self.person])]

    def scored(self, limit: int) -> list[tuple[str, int]]:
        """(id of one engagement, how many there are) of each account that scores, the most important first."""
        totals = np.bincount(self.person, minlength=len(self.people))
        one = np.zeros(len(self.people), np.int64)
        one[self.person[::-1]] = np.arange(len(self.person) - 1, -1, -1)
        order = np.argsort(-self.importance, kind="stable")
        order = order[self.importance[order] > 0][:limit]
        return [(self.columns.engagement_id(int(one[n])), int(totals[n])) for n in order]

    def count_scored(self) -> int:
        """Accounts that score over 0."""
        return int((self.importance > 0).sum())


def _first(rank: Numbers, limit: int, among: Numbers | None = None) -> Numbers:
    """The rows of the lowest ranks, in order; of equal ranks the first rows."""
    rows = np.arange(len(rank)) if among is None else among
    if len(rows) > limit:
        rows = rows[rank[rows] <= np.partition(rank[rows], limit - 1)[limit - 1]]
    return rows[np.argsort(rank[rows], kind="stable")][:limit]


def _pairs(one: Numbers, other: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """Each pair of two columns once, the second of which is below `size`: as one number, since rows sort slowly."""
    found = one.astype(np.int64) * size + other
    found.sort()
    found = found[np.diff(found, prepend=-1) != 0]
    return found // size, found % size
