"""Sums over everybody who engaged, from columns. Pure.

A time is known when an engagement carries one, or when monitoring saw it appear; a retweet that the first pass
found was there before, nobody knows since when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socap_cli.model.campaign import CampaignTweet
from socap_cli.model.engagement import BACKFILL, OTHERS, TIMED, Engagement, EngagementColumns
from socap_cli.model.links import engagement_url, profile_url
from socap_cli.report.analytics import Audience
from socap_cli.report.values import EngagementRow, Person

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
        return self.columns.user

    @cached_property
    def at(self) -> Numbers:
        return self.columns.at

    @cached_property
    def backfill(self) -> Numbers:
        return (self.columns.flags & BACKFILL) > 0

    @cached_property
    def timed(self) -> Numbers:
        return (self.columns.flags & TIMED) > 0

    @cached_property
    def score(self) -> Numbers:
        return self.columns.score

    @cached_property
    def tweet(self) -> Numbers:
        return self.columns.tweet

    @cached_property
    def action(self) -> Numbers:
        return self.columns.action

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
        masks = np.zeros(len(self.people), np.uint64)
        np.bitwise_or.at(masks, self.person, self.columns.labels)
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


LONGEST_TEXT = 280


LONGEST_NAME = 80


LEADERS = 100


LATEST = 50


CONSIDERED = 2000
"""Accounts whose important followers are summed up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sums depend on beside the engagements."""

    slug: str
    starts_at: datetime
    threshold: float
    category_of: Mapping[str, str]
    """The category of each tweet."""
    since: datetime | None
    """From when something is recent."""
    moments: Sequence[datetime]
    """For which it is told how many there were."""
    rows: int
    """Engagements to browse at most."""


@dataclass(frozen=True, slots=True)
class CrowdSums:
    """All that a page needs to know of a campaign's engagements; ids in the order in which they are shown."""

    size: int
    heads: dict[str, Head]
    curves: dict[str, tuple[int, ...]]
    by_action: dict[str, int]
    people_by_label: dict[str, int]
    of_tweets: dict[str, dict[str, int]]
    audiences: dict[str, Audience]
    category_audiences: dict[str, Audience]
    first_important: tuple[timedelta | None, int]
    hours: dict[int, int]
    """Replies and quotes by the hour since 1970."""
    newest: tuple[str, ...]
    most_important: tuple[str, ...]
    leaders: tuple[str, ...]
    scored: tuple[tuple[str, int], ...]
    count_scored: int

    def by_weekday(self, zone: tzinfo) -> tuple[tuple[int, ...], ...]:
        """Replies and quotes by weekday (Monday first) and hour, in a time zone."""
        table = [[0] * 24 for _ in range(7)]
        for hour, count in self.hours.items():
            local = datetime.fromtimestamp(hour * 3600, zone)
            table[local.weekday()][local.hour] += count
        return tuple(tuple(row) for row in table)


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


def cut(text: str, most: int) -> str:
    """The beginning of a text, with an ellipsis when that is not all of it; white space becomes one space."""
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def engagement_row(engagement: Engagement, tweet: CampaignTweet) -> EngagementRow:
    """An engagement as a row of the page."""
    profile = engagement.profile
    return EngagementRow(
        engagement_id=engagement.engagement_id,
        name=cut(profile.name, LONGEST_NAME) or profile.username,
        username=profile.username,
        user_id=profile.user_id,
        person_url=profile_url(profile),
        action_type=engagement.action_type,
        importance_score=engagement.importance.score,
        reasons=engagement.importance.reasons,
        categories=tuple(label for label in engagement.categories if label != OTHERS),
        organisations=tuple(getattr(engagement, "organisations", ())),
        followers=profile.followers,
        verified=profile.verified,
        bio=cut(profile.bio, LONGEST_TEXT),
        text=cut(engagement.text or "", LONGEST_TEXT),
        at=engagement.at,
        at_is_ours=engagement.engaged_at is None,
        backfill=engagement.backfill,
        url=engagement_url(engagement),
        tweet_id=engagement.tweet_id,
        tweet_author=tweet.author_username or "",
        tweet_category=tweet.category.short,
    )


def grouped(rows: Iterable[EngagementRow], *, since: datetime | None) -> tuple[Person, ...]:
    """Rows by account, the most important account first; `since` is from when an account is new."""
    found: dict[str, list[EngagementRow]] = {}
    for row in rows:
        found.setdefault(row.user_id, []).append(row)
    people = [_person(did, since) for did in found.values()]
    return tuple(sorted(people, key=lambda one: (-one.score, -one.latest.at.timestamp(), one.latest.user_id)))


def _person(rows: list[EngagementRow], since: datetime | None) -> Person:
    did = sorted(rows, key=lambda row: (row.at, row.engagement_id), reverse=True)
    best = max(did, key=lambda row: row.importance_score or 0.0)
    is_new = since is not None and all(not row.backfill and row.at > since for row in did)
    latest = did[0] if did[0].importance_score == best.importance_score else best
    return Person(latest, tuple(did), is_new)


def sums_of(crowd: Crowd, asked: Asked) -> CrowdSums:
    """The sums over a crowd."""
    return CrowdSums(
        size=len(crowd.columns),
        heads=crowd.heads(asked.since),
        curves=crowd.counted_at(asked.moments),
        by_action=crowd.by_action(),
        people_by_label=crowd.people_by_label(),
        of_tweets=crowd.of_tweets(asked.since),
        audiences=crowd.audiences(),
        category_audiences=crowd.audiences(asked.category_of),
        first_important=crowd.first_important(asked.starts_at),
        hours=crowd.hours(),
        newest=tuple(crowd.newest(max(asked.rows // 5, LATEST))),
        most_important=tuple(crowd.most_important(asked.rows)),
        leaders=tuple(crowd.leaders(LEADERS)),
        scored=tuple(crowd.scored(CONSIDERED)),
        count_scored=crowd.count_scored(),
    )
