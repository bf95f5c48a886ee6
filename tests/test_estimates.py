"""What a campaign costs before it costs anything: the forecast against simulated launches, and the commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.estimating import DAY, errors
from support.lab import SLUG, START, Lab, change
from support.launches import PRICES
from support.terminal import Cli

from socap_cli.campaigns.estimate import (
    Estimate,
    Experience,
    KnownCampaign,
    KnownTweet,
    Market,
    estimate,
    rate,
    share,
    size,
)
from socap_cli.model.cadence import Cadence
from socap_cli.model.kinds import LISTS
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db

ages = st.floats(0, 2000)


@pytest.mark.slow
@pytest.mark.parametrize("cadence", list(Cadence))
@pytest.mark.parametrize(("seed", "mean"), [(200, 15.0), (201, 45.0), (202, 120.0)])
def test_an_estimate_is_near_the_bill(cadence: Cadence, seed: int, mean: float) -> None:
    """Within a quarter before the start, within a tenth after a day; `bench` looks at 20 worlds."""
    before, after = errors(cadence, seed, mean)
    assert abs(before) < 0.25
    assert abs(after) < 0.10


@given(ages, ages)
def test_what_has_come_only_grows(one: float, other: float) -> None:
    younger, older = sorted((one, other))
    assert 0 <= share(younger) <= share(older) <= 1
    assert rate(100.0, younger, older + 1) >= 0


@given(st.integers(0, 10**6), ages, st.floats(0.1, 1e5))
def test_a_tweet_brings_no_less_than_it_has_brought(counter: int, age: float, usual: float) -> None:
    assert size(counter, age, usual) >= counter
    assert size(None, age, usual) == usual


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_author_with_more_followers_is_expected_to_bring_no_less(one: int, other: int) -> None:
    few, many = sorted((one, other))
    learnt = Experience(followers=5000.0, campaigns=3)
    assert learnt.usual(next(iter(LISTS)), few) <= learnt.usual(next(iter(LISTS)), many)


def made(tweets: int = 10, *, ends: bool = True, cadence: Cadence = Cadence.FIXED) -> Estimate:
    rows = [KnownTweet(START - DAY, dict.fromkeys(LISTS, 10)) for _ in range(tweets)]
    return estimate(
        KnownCampaign(rows, START, START + 2 * DAY if ends else None, cadence), Market(PRICES), now=START
    )


@pytest.mark.parametrize("tweets", [0, 1, 50, 51, 1000])
def test_the_range_holds_the_likely_and_counters_are_certain(tweets: int) -> None:
    found = made(tweets)
    for one in found.by_cadence.values():
        assert one.day.low <= one.day.likely <= one.day.high <= one.whole.high
    least = tweets * 48 * PRICES.counters
    assert least <= found.by_cadence[Cadence.FIXED].day.low <= least * 10
    batches = -(-tweets // 50) * 48
    assert batches <= found.by_cadence[Cadence.FIXED].requests_a_day


@pytest.mark.parametrize(("hour", "days", "paid_days"), [(0, 1, 1), (12, 1, 2), (12, 2, 3)])
def test_counters_that_are_billed_once_a_day_cost_each_day_that_is_touched(
    hour: int, days: int, paid_days: int
) -> None:
    begins = START.replace(hour=hour)
    rows = [KnownTweet(begins - 90 * DAY, dict.fromkeys(LISTS, 0), is_read=True) for _ in range(10)]
    known = KnownCampaign(rows, begins, begins + (days * DAY - timedelta(seconds=1)), Cadence.FIXED)
    prices = replace(PRICES, items=dict.fromkeys(LISTS, 0.0), once_a_day=True)
    found = estimate(known, Market(prices), now=begins).by_cadence
    assert {round(one.whole.likely / PRICES.counters, 2) for one in found.values()} == {10 * paid_days}


def test_a_campaign_without_an_end_is_reckoned_for_a_week() -> None:
    found = made(ends=False)
    assert (found.ends_at, found.end_is_assumed) == (START + 7 * DAY, True)


def test_tweets_that_were_never_read_are_counted_and_not_estimated() -> None:
    known = KnownCampaign(
        [KnownTweet(START - DAY, dict.fromkeys(LISTS, 10))], START, START + DAY, Cadence.FIXED
    )
    found = estimate(replace(known, not_read=2), Market(PRICES), now=START)
    assert (found.tweets, found.not_read) == (3, 2)
    assert found.chosen == estimate(known, Market(PRICES), now=START).chosen


@pytest.fixture
def one(db: Db) -> Iterator[Lab]:
    with Simulator(World(start=START, tweets=20, engagements=20.0, accounts=500, seed=3)) as simulator:
        lab = Lab(db, simulator)
        yield lab
        lab.close()


def test_the_estimate_shows_both_cadences_and_what_is_spent(cli: Cli, one: Lab) -> None:
    one.enqueue()
    one.work_by_hand()
    answer = cli("campaign", "estimate", SLUG)
    found = answer["result"]
    assert set(found["by_cadence"]) == {"fixed", "adaptive"}
    assert (found["tweets"], found["cadence"], found["end_is_assumed"]) == (20, "fixed", True)
    assert found["by_cadence"]["fixed"]["day"]["low"] >= 20 * 48 * 15
    assert found["credits"] > found["credits_a_day"] > 0
    assert any("has no end" in warning for warning in answer["warnings"])
    text = cli.text("campaign", "estimate", SLUG)[0]
    assert "fixed *" in text
    assert "adaptive" in text
    assert found["credits"] > found["spent"] == cli("usage")["result"]["cost"] > 0


def test_what_earlier_campaigns_brought_is_heeded(cli: Cli, one: Lab) -> None:
    one.enqueue()
    one.work_by_hand()
    url = "https://x.com/ada/status/1996518988151706110"
    cli("campaign", "add", "next", "--tweet", url, "--no-verify", "--days", "3")
    assert "1 earlier campaign brought" in cli("campaign", "estimate", "next")["result"]["basis"]
    change(one.db, SLUG, starts_at=one.now() + timedelta(days=3000))
    assert "no campaign was measured" in cli("campaign", "estimate", "next")["result"]["basis"]


def test_a_campaign_whose_tweets_are_all_removed_costs_what_it_cost() -> None:
    known = KnownCampaign([], START - timedelta(days=1), None, Cadence.FIXED, 3000.0, 2000.0)
    assert estimate(known, Market(PRICES), now=START).chosen.whole.likely == 3000.0
