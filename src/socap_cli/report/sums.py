"""Sums over all engagements of a campaign, from columns. Pure.

A time is known when the provider gave one, or when monitoring saw the engagement appear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property

import numpy as np

from socap_cli.model.engagement import BACKFILL, OTHERS, TIMED, EngagementColumns
from socap_cli.report.analytics import Audience, Numbers

BEFORE = 0
"""Stands for the baseline where the time of an account's first engagement is asked for."""

QUARTER = 900
"""Seconds of the finest time zone's step."""


@dataclass(frozen=True)
class EngagementSums:
    """All present engagements of a campaign, and the score from which an account is important."""

    columns: EngagementColumns
    threshold: float

    @cached_property
    def backfill(self) -> Numbers:
        return (self.columns.flags & BACKFILL) > 0

    @cached_property
    def timed(self) -> Numbers:
        return (self.columns.flags & TIMED) > 0

    @cached_property
    def person(self) -> Numbers:
        """Per engagement, the number of its account."""
        return np.unique(self.columns.user, return_inverse=True)[1].astype(np.int32)

    @cached_property
    def importance(self) -> Numbers:
        """Per person, the highest known score; below 0 when none is known."""
        best = np.full(int(self.person.max(initial=-1)) + 1, -1, np.float32)
        np.maximum.at(best, self.person, np.nan_to_num(self.columns.score, nan=-1))
        return best

    @cached_property
    def is_important(self) -> Numbers:
        """Per person, whether the score is at the threshold or higher."""
        return self.importance >= np.float32(max(self.threshold, 0))

    @cached_property
    def since(self) -> Numbers:
        """Per engagement, when it came; `BEFORE` for the baseline."""
        return np.where(self.backfill, BEFORE, self.columns.at).astype(np.int64)

    def _first(self, per_engagement: Numbers) -> dict[str, Numbers]:
        """Of a time per engagement, those of engagements, and the earliest of each person and important person."""
        earliest = np.full(len(self.importance), np.iinfo(np.int64).max)
        np.minimum.at(earliest, self.person, per_engagement)
        return {"engagements": per_engagement, "people": earliest, "important": earliest[self.is_important]}

    def baseline(self) -> dict[str, int]:
        """Engagements, people and important people that were there before monitoring."""
        return {name: int((times == BEFORE).sum()) for name, times in self._first(self.since).items()}

    def between(self, begin: datetime, end: datetime | None = None) -> dict[str, int]:
        """Engagements, people and important people that were new after `begin`, and up to `end` if that is given."""
        low, high = int(begin.timestamp()), int(end.timestamp()) if end else np.iinfo(np.int64).max - 1
        first = self._first(self.since)
        return {name: int(((low < times) & (times <= high)).sum()) for name, times in first.items()}

    def bars(self, edges: Sequence[datetime]) -> dict[str, tuple[int, ...]]:
        """New engagements, people, important people, and engagements of each action, between readings.

        What has no time of its own came before the reading that found it; what came after the last is in the last bar.
        """
        count, moments = len(edges) - 1, np.array([int(edge.timestamp()) for edge in edges], np.int64)
        by_time = np.searchsorted(moments, self.columns.at, side="left")
        by_finding = np.searchsorted(moments, self.columns.at, side="right") - 1
        bar = np.clip(np.where(self.timed, by_time, by_finding), 1, count)
        bar[self.backfill] = 0
        found = self._first(bar)
        for n, action in enumerate(self.columns.actions):
            found[action] = bar[self.columns.action == n]
        return {
            name: tuple(np.bincount(bars, minlength=count + 1)[1:].tolist()) for name, bars in found.items()
        }

    def by_action(self) -> dict[str, int]:
        """Engagements of each action."""
        counts = np.bincount(self.columns.action, minlength=len(self.columns.actions))
        return {name: int(counts[n]) for n, name in enumerate(self.columns.actions)}

    def by_label(self) -> tuple[dict[str, int], dict[str, int]]:
        """People and engagements of each label; one can have several. The most first, those without any last."""
        masks = np.zeros(len(self.importance), np.uint64)
        np.bitwise_or.at(masks, self.person, self.columns.labels)
        found: tuple[dict[str, int], dict[str, int]] = {}, {}
        for bit, name in enumerate(self.columns.label_names):
            for counts, labels in zip(found, (masks, self.columns.labels), strict=True):
                counts[name] = int(((labels >> np.uint64(bit)) & np.uint64(1)).sum())
        order = sorted(found[0], key=lambda name: (name == OTHERS, -found[0][name], name))
        people, engagements = ({name: counts[name] for name in order if counts[name]} for counts in found)
        return people, engagements

    def audiences(self, group_of: Mapping[str, str] | None = None) -> dict[str, Audience]:
        """People per tweet, or per group of tweets, those that no other one reached, and the important ones."""
        names = [group_of[tweet] if group_of else tweet for tweet in self.columns.tweets]
        groups = list(dict.fromkeys(names))
        if not len(self.columns):
            return {}
        group = np.array([groups.index(name) for name in names], np.int64)[self.columns.tweet]
        # Pairs as one number, sorted: ten times faster than what `np.unique` does without an inverse.
        pairs = np.sort(self.person.astype(np.int64) * len(groups) + group)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        person, place = pairs // len(groups), pairs % len(groups)
        alone = np.bincount(person, minlength=len(self.importance)) == 1
        people, unique, important = (
            np.bincount(place[chosen], minlength=len(groups)).tolist()
            for chosen in (slice(None), alone[person], self.is_important[person])
        )
        return {name: Audience(people[n], unique[n], important[n]) for n, name in enumerate(groups)}

    def of_tweets(self, moment: datetime | None) -> dict[str, dict[str, int]]:
        """Per tweet: engagements of each action, `all`, and those that came after a moment as `lately`."""
        after = int(moment.timestamp()) if moment else 0
        number, size = max(len(self.columns.actions), 1), len(self.columns.tweets)
        cells = self.columns.tweet.astype(np.int64) * number + self.columns.action
        grid = np.bincount(cells, minlength=size * number).reshape(size, number).tolist()
        lately = np.bincount(self.columns.tweet[self.since > after], minlength=size).tolist()
        return {
            tweet: {**dict(zip(self.columns.actions, row, strict=False)), "all": sum(row), "lately": new}
            for tweet, row, new in zip(self.columns.tweets, grid, lately, strict=True)
        }

    def first_important(self, starts_at: datetime) -> tuple[timedelta, str] | None:
        """The first engagement by an important person at a known time from the start on: how long after it, its id."""
        begin = int(starts_at.timestamp())
        known = self.is_important[self.person] & (self.timed | ~self.backfill) & (self.columns.at >= begin)
        rows = np.flatnonzero(known)
        if not len(rows):
            return None
        row = int(rows[np.argmin(self.columns.at[rows])])
        return timedelta(seconds=int(self.columns.at[row]) - begin), self.columns.engagement_id(row)

    def by_weekday(self, zone: tzinfo) -> tuple[tuple[int, ...], ...]:
        """Engagements that the provider gave a time for, by weekday (Monday first) and hour in a time zone."""
        table = [[0] * 24 for _ in range(7)]
        quarters, counts = np.unique(self.columns.at[self.timed] // QUARTER, return_counts=True)
        for quarter, count in zip(quarters.tolist(), counts.tolist(), strict=True):
            local = datetime.fromtimestamp(quarter * QUARTER, zone)
            table[local.weekday()][local.hour] += count
        return tuple(map(tuple, table))

    def newest(self, limit: int) -> list[str]:
        """The ids of the latest engagements whose time is known, the latest first."""
        known = np.flatnonzero(self.timed | ~self.backfill)
        return self._ids(-self.columns.at.astype(np.int64), limit, known)

    def most_important(self, limit: int) -> list[str]:
        """The ids of the engagements of the most important accounts, the most important first, then the latest."""
        rank = -self.importance[self.person].astype(np.float64) * 2**32 - self.columns.at
        return self._ids(rank, limit, np.arange(len(rank)))

    def leaders(self, limit: int) -> list[str]:
        """The ids of all engagements of the important people, of the most important so many."""
        order = np.argsort(-self.importance, kind="stable")[:limit]
        chosen = np.zeros(len(self.importance), bool)
        chosen[order] = self.is_important[order]
        return [self.columns.engagement_id(int(row)) for row in np.flatnonzero(chosen[self.person])]

    def _ids(self, rank: Numbers, limit: int, rows: Numbers) -> list[str]:
        """The ids of the rows of the lowest ranks, in order; of equal ranks the first rows."""
        if len(rows) > limit:
            rows = rows[rank[rows] <= np.partition(rank[rows], limit - 1)[limit - 1]]
        rows = rows[np.argsort(rank[rows], kind="stable")][:limit]
        return [self.columns.engagement_id(int(row)) for row in rows]
