"""The lists and counters in words, as the table of lists has them."""

from __future__ import annotations

from socap_cli.model.kinds import LISTS, shown_counters
from socap_cli.report import analytics


def list_names(posts: bool | None = None) -> str:
    """`retweets, replies and quotes`: the lists that are read, or those of posts, or of accounts."""
    return _and([name for name, kind in LISTS.items() if posts in (None, kind.is_post)])


def interacting() -> str:
    """`likes + retweets + …`: what the engagement rate counts."""
    return " + ".join(analytics.interacting())


def one_engagement() -> str:
    """`One retweet, one reply or one quote`."""
    return _and([f"one {kind.action_type}" for kind in LISTS.values()], "or").capitalize()


def number_only() -> str:
    """`likes and views`: counters that are shown and have no list that is read."""
    return _and([name for name in shown_counters() if name not in LISTS])


def _and(names: list[str], word: str = "and") -> str:
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
