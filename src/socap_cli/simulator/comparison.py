"""What is stored beside what is true: the one comparison, for demo, check and tests. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from socap_cli.model.kinds import LISTS, Kind

Key = tuple[str, str, str]
"""(tweet, action, source) of an engagement."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many engagements are true and stored, and how the two differ."""

    truth: int
    stored: int
    missing: int
    not_in_truth: int
    twice: int

    @property
    def exact(self) -> bool:
        """Whether each true engagement is stored, once, and no other."""
        return not (self.missing or self.not_in_truth or self.twice)


def true_keys(truth: Mapping[str, Mapping[Kind, Iterable[str]]]) -> set[Key]:
    """The engagements of a truth as the simulator tells it: {tweet: {list: source ids}}."""
    return {
        (tweet_id, LISTS[kind].action_type, source_id)
        for tweet_id, lists in truth.items()
        for kind, ids in lists.items()
        for source_id in ids
    }


def compare(truth: set[Key], stored: Iterable[Key], *, action_type: str | None = None) -> Comparison:
    """Compare all engagements, or those of one action."""
    wanted = {key for key in truth if action_type in (None, key[1])}
    have = [key for key in stored if action_type in (None, key[1])]
    found = set(have)
    return Comparison(
        truth=len(wanted),
        stored=len(have),
        missing=len(wanted - found),
        not_in_truth=len(found - wanted),
        twice=len(have) - len(found),
    )
