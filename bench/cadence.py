"""When tweets are looked at: the adaptive cadence against every half hour, over a launch of seven days.

The rule that `enqueue` follows is driven over a made-up world with a model of the prices, without HTTP: a dozen
launches of 300 tweets would take hours otherwise.
"""

from __future__ import annotations

from statistics import median

from support.estimating import errors
from support.launches import DAYS, Bill, Launch, every_half_hour, when_it_pays, world

from bench.measure import row
from socap_cli.model.cadence import Cadence, Limits
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES

TUNED, MEASURED, ESTIMATED = range(100, 102), range(1, 4), range(220, 240)
MEANS = (15.0, 45.0, 120.0, 30.0)
"""Engagements a tweet."""
SAME_SPEND, SAME_DELAY = 1750.0, 280.0
"""Worths of an hour that `tuned` shows to spend what half-hourly looks do, and to be as late as they are."""


def pooled(seeds: range, worth: float | None) -> Bill:
    """The launches of these seeds together: fixed without a worth, else adaptive."""
    together = Bill()
    for seed in seeds:
        tweets = world(seed)
        bill = (
            Launch(tweets, every_half_hour, minutes=30).run(24 * DAYS)
            if worth is None
            else Launch(tweets, when_it_pays(worth), minutes=5).run(24 * DAYS)
        )
        together.counters += bill.counters
        together.lists += bill.lists
        for kind, late in bill.late.items():
            together.late[kind] += late
    return together


def cadence(_uri: str) -> None:
    """A launch of seven days, 300 tweets: the adaptive cadence against every half hour"""
    half_hourly = pooled(MEASURED, None)
    for name, worth, spend in (
        ("the same spend", SAME_SPEND, "1.00"),
        ("as by default", Limits().worth, "below 1"),
        ("the same delay, by its median", SAME_DELAY, "at most 0.60"),
    ):
        found = pooled(MEASURED, worth)
        bounds = "" if worth == SAME_DELAY else "; at most 0.50, 0.67"
        row(name, f"{found.credits / half_hourly.credits:.2f} ×", f"of the spend; {spend}")
        for what, kinds in (("replies, quotes", (REPLIES, QUOTES)), ("all", tuple(LISTS))):
            middle, most = found.delays(*kinds)
            plain_middle, plain_most = half_hourly.delays(*kinds)
            row(
                f"  {what}, found after, minutes",
                f"{middle:.1f} / {most:.1f}",
                f"median / 90 %; fixed {plain_middle:.1f} / {plain_most:.1f}: "
                f"{middle / plain_middle:.2f} ×, {most / plain_most:.2f} ×{bounds}",
            )


def estimates(_uri: str) -> None:
    """What a launch of seven days costs, estimated, against the bill: 20 worlds of 15 to 120 engagements a tweet"""
    for kind in Cadence:
        wrong = [errors(kind, seed, MEANS[seed % len(MEANS)]) for seed in ESTIMATED]
        before, after = (sorted(abs(one[at]) for one in wrong) for at in (0, 1))
        row(
            f"{kind}, off by at most",
            f"{before[-1]:.0%} / {after[-1]:.0%}",
            f"before the start / after a day; at most 25 %, 10 %; median {median(before):.0%} / {median(after):.0%}",
        )


def tuned() -> None:
    """Print what `SAME_SPEND` and `SAME_DELAY` were chosen by, on worlds that are not measured."""
    half_hourly = pooled(TUNED, None)
    print("fixed", half_hourly.credits, half_hourly.delays(REPLIES, QUOTES))
    for worth in (200.0, 240.0, 280.0, 1600.0, 1750.0, 1900.0):
        found = pooled(TUNED, worth)
        print(worth, found.credits / half_hourly.credits, found.delays(REPLIES, QUOTES), found.delays())


if __name__ == "__main__":
    tuned()
