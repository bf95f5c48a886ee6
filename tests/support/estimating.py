"""Estimates of simulated launches against what these cost."""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta

from socap_cli.campaigns.estimate import KnownCampaign, KnownTweet, Market, estimate
from socap_cli.model.cadence import HOUR, Cadence, Limits
from socap_cli.model.kinds import LISTS
from support.lab import START
from support.launches import PRICES, Launch, every_half_hour, when_it_pays, world

DAY = timedelta(days=1)
RULES = {Cadence.FIXED: (every_half_hour, 30), Cadence.ADAPTIVE: (when_it_pays(Limits().worth), 5)}


def known(
    run: Launch, cadence: Cadence, *, spent: float = 0.0, spent_for_lists: float = 0.0
) -> KnownCampaign:
    """What is known of a launch: before it starts what the provider said when it was added, then what was read."""
    tweets = [
        KnownTweet(
            START + HOUR * tweet.posted,
            state.counters or {kind: bisect_right(tweet.lists[kind], 0.0) for kind in LISTS},
            is_read=state.checked_at is not None,
        )
        for tweet, state in zip(run.tweets, run.states, strict=True)
    ]
    return KnownCampaign(tweets, START, START + 7 * DAY, cadence, spent, spent_for_lists)


def errors(cadence: Cadence, seed: int, mean: float, *, tweets: int = 100) -> tuple[float, float]:
    """By what part of the bill an estimate is wrong before the start, and after a day."""
    next_look, minutes = RULES[cadence]
    run = Launch(world(seed, tweets=tweets, later=0.0, mean=mean), next_look, minutes=minutes)
    before = estimate(known(run, cadence), Market(PRICES), now=START).chosen.whole.likely
    bill = run.run(24)
    paid = {"spent": bill.credits, "spent_for_lists": bill.lists}
    after = estimate(known(run, cadence, **paid), Market(PRICES), now=START + DAY).chosen.whole.likely
    paid_in_all = run.run(168).credits
    return before / paid_in_all - 1, after / paid_in_all - 1
