"""What can be browsed, as compact as a page can hold it: rows as lists, repeated words as numbers. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from socap_cli.model.kinds import list_of
from socap_cli.report.story import duration
from socap_cli.report.values import EngagementRow, TweetRow

BACKFILL, FIRST_SEEN, VERIFIED = 1, 2, 4
FIELDS = (
    "name", "username", "user_id", "action", "importance", "followers", "at", "flags", "labels", "tweet", "post_id",
    "text", "followed_by",
)  # fmt: skip


VIEW_FIELDS = ("curve", "by_action", "lately", "people", "only_here", "velocity", "half_life", "bookmarks")
VIEWS_IN_PAGE = 15
"""Tweets whose views are part of the page; those of the others are made of the island."""


class Words(dict[str, int]):
    """Words by the number that stands for them, in the order in which they came."""

    def __missing__(self, word: str) -> int:
        self[word] = len(self)
        return self[word]


def island(rows: Sequence[EngagementRow], tweets: Sequence[TweetRow]) -> dict[str, Any]:
    """`fields` names what stands where in a row; actions, labels, tweets and followers are numbers of their lists."""
    actions, labels, followers = Words(), Words(), Words()
    places = {row.tweet.tweet_id: n for n, row in enumerate(tweets)}
    packed = [_packed(row, actions, labels, followers, places[row.tweet_id]) for row in rows]
    return {
        "fields": FIELDS,
        "actions": list(actions),
        "labels": list(labels),
        "followers": list(followers),
        "tweets": [
            [row.tweet.tweet_id, row.tweet.author_username or "", row.tweet.category.short] for row in tweets
        ],
        "view_fields": VIEW_FIELDS,
        "views": {row.tweet.tweet_id: _view(row) for row in tweets[VIEWS_IN_PAGE:]},
        "rows": packed,
    }


def _view(row: TweetRow) -> list[Any]:
    """A tweet's curve and figures in the order of `VIEW_FIELDS`."""
    half = row.half_life
    return [
        row.curve,
        {list_of(name).label.lower(): count for name, count in row.by_action.items()},
        row.lately,
        row.audience.people,
        row.audience.only_here,
        None if row.velocity is None else round(row.velocity, 1),
        "" if half is None else ("at most " if half.at_most else "") + duration(half.value),
        row.counters.get("bookmarks"),
    ]


def _packed(row: EngagementRow, actions: Words, labels: Words, followers: Words, tweet: int) -> list[Any]:
    flags = BACKFILL * row.backfill + FIRST_SEEN * row.at_is_ours + VERIFIED * row.verified
    is_post = list_of(row.action_type).is_post
    return [
        row.name,
        row.username,
        row.user_id,
        actions[row.action_type],
        row.importance_score,
        row.followers,
        int(row.at.timestamp()),
        flags,
        [labels[name] for name in row.categories],
        tweet,
        row.engagement_id.rpartition(":")[2] if is_post else "",
        row.text,
        [followers[who] for who, _ in row.reasons],
    ]


def script_json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
