"""What X's rows say, read into values. Every field may be missing, of another type, or nonsense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Profile, Tweet
from socap_cli.model.kinds import Counters
from socap_cli.model.snowflake import snowflake_time
from socap_cli.providers.rows import Unreadable, as_object

LONGEST_NAME = 100
LONGEST_BIO = 2_000
VERIFIED_TYPES = frozenset({"blue", "business", "government"})
Accounts = Mapping[str, Any]
"""Rows of accounts by id, as they stand beside the posts."""


def read_tweet(row: Any, accounts: Accounts, counters: Mapping[str, tuple[str, ...]]) -> Tweet:
    """A tweet with its counters. Raises Unreadable."""
    row = as_object(row)
    tweet_id = cleaning.post_id(row.get("id"))
    if tweet_id is None:
        raise Unreadable("its id is missing or no id")
    user_id = cleaning.user_id(row.get("author_id"))
    return Tweet(
        tweet_id=tweet_id,
        author=read_profile(accounts[user_id]) if user_id is not None and user_id in accounts else None,
        text=cleaning.text(row.get("text"), references=True),
        posted_at=cleaning.moment(row.get("created_at")) or snowflake_time(tweet_id),
        counters=read_counters(row.get("public_metrics"), counters),
    )


def read_counters(metrics: Any, names: Mapping[str, tuple[str, ...]]) -> Counters:
    """Every counter by name; None is unknown."""
    known = metrics if isinstance(metrics, dict) else {}
    return {
        counter: next(
            (n for n in (cleaning.number(known.get(field)) for field in fields) if n is not None), None
        )
        for counter, fields in names.items()
    }


def read_profile(row: Any) -> Profile:
    """An account. Raises Unreadable when it has no id."""
    row = as_object(row)
    user_id = cleaning.user_id(row.get("id"))
    if user_id is None:
        raise Unreadable("its id is missing or no id")
    metrics, username, verified_type = (
        row.get("public_metrics"),
        row.get("username"),
        row.get("verified_type"),
    )
    return Profile(
        user_id=user_id,
        username=cleaning.handle(username)
        or cleaning.one_line(username, limit=LONGEST_NAME, references=True),
        name=cleaning.one_line(row.get("name"), limit=LONGEST_NAME, references=True),
        bio=cleaning.text(row.get("description"), limit=LONGEST_BIO, references=True),
        followers=cleaning.number(metrics.get("followers_count")) if isinstance(metrics, dict) else None,
        verified=cleaning.flag(row.get("verified")) is True
        or (isinstance(verified_type, str) and verified_type in VERIFIED_TYPES),
    )


def read_account(row: Any) -> ListItem:
    """An item that is an account: a retweeter. Raises Unreadable."""
    profile = read_profile(row)
    return ListItem(profile.user_id, profile)


def read_post(row: Any, accounts: Accounts, *, relation: str, tweet_id: str) -> ListItem | None:
    """A post with its author; None when it stands in this relation to other posts than the tweet.

    Raises Unreadable. An author whom X leaves out beside the posts is known by id alone.
    """
    row = as_object(row)
    post_id = cleaning.post_id(row.get("id"))
    if post_id is None:
        raise Unreadable("its id is missing or no id")
    if tweet_id not in (_related(row, relation) or (tweet_id,)):
        return None
    user_id = cleaning.user_id(row.get("author_id"))
    if user_id is None:
        raise Unreadable("its author is gone", is_gone=row.get("author_id") is None)
    return ListItem(
        source_id=post_id,
        profile=read_profile(accounts.get(user_id, {"id": user_id})),
        engaged_at=cleaning.moment(row.get("created_at")) or snowflake_time(post_id),
        text=cleaning.text(row.get("text"), references=True),
    )


def _related(row: dict[str, Any], relation: str) -> tuple[str, ...]:
    """The ids of the posts that a post replies to, or quotes; none when it does not say."""
    listed = row.get("referenced_tweets", row.get("referenced_posts"))
    references = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    ids = (cleaning.post_id(one.get("id")) for one in references if one.get("type") == relation)
    return tuple(post_id for post_id in ids if post_id is not None)
