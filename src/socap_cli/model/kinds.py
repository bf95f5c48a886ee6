"""The kinds of lists as a table. A job's kind is `METRICS` or the name of a list.

A new list is one row here, what its provider says of it, and what the simulator serves. Whoever needs the
kinds reads the table when asked, so that a row that is added later is heeded everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

Kind = NewType("Kind", str)
"""What a job collects: `metrics`, or the name of a list, which is also the name of its counter."""

METRICS = Kind("metrics")
RETWEETS = Kind("retweets")
REPLIES = Kind("replies")
QUOTES = Kind("quotes")


@dataclass(frozen=True, slots=True)
class ListKind:
    """One kind of list: who did what to a tweet."""

    name: Kind
    action_type: str
    """The engagement that an item of the list is."""
    verb: str
    """What somebody did to a tweet, for a sentence."""
    label: str
    """Its heading on a page."""
    colour: str
    """Its ink in a picture that cannot follow light and dark."""
    is_post: bool
    """Whether an item is a post of its own, with an id, a time and a text; else it is an account."""
    priority: int
    """1 is worked first; counters are 1."""


LISTS: dict[Kind, ListKind] = {
    kind.name: kind
    for kind in (
        ListKind(RETWEETS, "retweet", "retweeted", "Retweets", "#2f5bd7", is_post=False, priority=2),
        ListKind(REPLIES, "reply", "replied to", "Replies", "#0f9d7a", is_post=True, priority=3),
        ListKind(QUOTES, "quote", "quoted", "Quotes", "#c06a10", is_post=True, priority=3),
    )
}


def kinds() -> tuple[Kind, ...]:
    """All kinds of jobs, the first to be worked first."""
    return METRICS, *sorted(LISTS, key=lambda name: LISTS[name].priority)


def priority_of(kind: Kind) -> int:
    return 1 if kind == METRICS else LISTS[kind].priority


def action_types() -> tuple[str, ...]:
    return tuple(kind.action_type for kind in LISTS.values())


def list_of(action_type: str) -> ListKind:
    """The kind of list that holds this action. Raises KeyError for an action that no list holds."""
    for kind in LISTS.values():
        if kind.action_type == action_type:
            return kind
    raise KeyError(action_type)


OTHER_COUNTERS = ("likes", "views", "bookmarks")
"""Counters that need no list. One whose list is read as well, by a row of that name, stays a single counter."""


def counter_names() -> tuple[str, ...]:
    """The names of a tweet's counters, each once; those of lists come first."""
    return tuple(dict.fromkeys((*LISTS, *OTHER_COUNTERS)))


def shown_counters() -> tuple[str, ...]:
    """Those that fit into 80 columns; programs get every counter."""
    return tuple(name for name in counter_names() if name != "bookmarks")


Counters = dict[str, int | None]
"""A tweet's counters by name; None is unknown, never 0."""
