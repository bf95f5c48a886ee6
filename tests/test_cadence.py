"""When a tweet is looked at next: the pure rule, and what `enqueue` arms of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import SLUG, START, Lab, campaign, change
from support.terminal import Cli

from socap_cli.client.looks import LookPolicy, allowed_an_hour, look_prices, next_looks
from socap_cli.model.cadence import (
    CYCLE,
    HOUR,
    Activity,
    Cadence,
    Limits,
    Look,
    LookPrices,
    Watched,
    adaptive,
    adaptive_spending,
    fixed,
    fixed_spending,
    interval,
    within,
)
from socap_cli.model.engagement import Velocity, velocity_after
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind, kinds
from socap_cli.model.list_state import ListState, TweetState
from socap_cli.settings import BudgetSettings
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRICES = LookPrices(15.0, {RETWEETS: 18.0, REPLIES: 15.0, QUOTES: 15.0}, {RETWEETS: 20.0})
counts = st.integers(0, 100_000)
hours = st.floats(0.01, 1000)
velocities = st.builds(
    Velocity, st.floats(0, 1000), st.dictionaries(st.sampled_from(list(LISTS)), st.floats(0, 1e6), max_size=3)
)
limits = st.builds(
    Limits,
    st.integers(1, 30).map(lambda n: n * MINUTE),
    st.integers(60, 1000).map(lambda n: n * MINUTE),
    st.floats(0, 1e9),
)


def tweet(velocity: Velocity = Velocity(), *, minutes: float = 0, **lists: int) -> Watched:
    """One that was looked at so many minutes ago; of the lists named so many items were never read."""
    seen = NOW - minutes * MINUTE
    known = {
        kind: ListState("1", kind, counter=100 + lists.get(kind, 0), counter_at_pass=100, last_pass_at=seen)
        for kind in LISTS
    }
    state = TweetState("1", dict.fromkeys(LISTS, 100), seen, lists=known, velocity=velocity)
    return Watched(state, posted_at=NOW - 100 * HOUR)


def coming(per_hour: float) -> Velocity:
    return Velocity(100.0, {kind: 100.0 * per_hour / len(LISTS) for kind in LISTS})


@given(velocities, limits, st.integers(0, 100_000))
def test_a_look_is_never_later_than_the_floor_nor_sooner_than_the_least(
    velocity: Velocity, limits: Limits, minutes: int
) -> None:
    seen = NOW - minutes * MINUTE
    look = adaptive(tweet(velocity, minutes=minutes), prices=PRICES, limits=limits, now=NOW)
    assert limits.shortest <= look.at - seen <= max(limits.longest, limits.shortest)


@given(velocities, st.sampled_from(list(LISTS)), st.floats(0, 1e6), limits)
def test_a_faster_tweet_is_looked_at_no_later(
    velocity: Velocity, kind: Kind, more: float, limits: Limits
) -> None:
    grown = {**velocity.engagements, kind: velocity.engagements.get(kind, 0.0) + more}
    slow, fast = (
        adaptive(tweet(each), prices=PRICES, limits=limits, now=NOW).at
        for each in (velocity, replace(velocity, engagements=grown))
    )
    assert fast <= slow


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), limits)
def test_a_dearer_look_comes_no_sooner_and_a_dearer_delay_no_later(
    rate: float, price: float, more: float, limits: Limits
) -> None:
    found = {REPLIES: rate}
    plain = interval(found, LookPrices(price), limits)
    assert interval(found, LookPrices(price + more), limits) >= plain
    assert interval(found, LookPrices(price), replace(limits, worth=limits.worth + more)) <= plain


@given(st.floats(0, 1e6), st.floats(0, 1e6), limits)
def test_what_a_look_finds_at_once_calls_for_it_sooner_than_what_waits_for_a_whole_page(
    rate: float, other: float, limits: Limits
) -> None:
    found, gathers = ({kind: rate, QUOTES: other} for kind in (REPLIES, RETWEETS))
    assert interval(found, PRICES, limits) <= interval(gathers, PRICES, limits)


@given(velocities, counts, counts, hours)
def test_what_comes_lately_weighs_more_than_what_came_long_ago(
    velocity: Velocity, old: int, new: int, passed: float
) -> None:
    after = velocity_after(velocity, {REPLIES: old}, {REPLIES: new}, hours=passed)
    came = max(0, new - old)
    before = velocity.engagements.get(REPLIES, 0.0)
    assert came <= after.engagements[REPLIES] <= before + came
    assert passed <= after.hours <= velocity.hours + passed


def test_a_tweet_that_wakes_up_is_followed() -> None:
    """Cold for a week, then thirty replies between two looks: the next look comes within minutes, and later ones."""
    velocity, count = Velocity(), 0
    for _ in range(56):
        velocity = velocity_after(velocity, {REPLIES: count}, {REPLIES: count}, hours=3)
    asleep = adaptive(tweet(velocity), prices=PRICES, limits=Limits(), now=NOW).at - NOW
    waits = []
    for _ in range(3):
        velocity = velocity_after(velocity, {REPLIES: count}, {REPLIES: count + 30}, hours=1)
        count += 30
        waits.append(adaptive(tweet(velocity), prices=PRICES, limits=Limits(), now=NOW).at - NOW)
    assert asleep > 90 * MINUTE
    assert waits[0] < 12 * MINUTE
    assert waits == sorted(waits, reverse=True)


@pytest.mark.parametrize(
    ("waiting", "minutes", "worth", "is_read"),
    [
        (0, 5, 1000, False),  # one expected at most: not worth a page of known ones
        (3, 5, 1000, False), (10, 5, 1000, True), (30, 5, 1000, True), (30, 5, 100, False), (1, 170, 300, True),
        (1, 170, 100, False), (0, 180, 1, True),
    ],
)  # fmt: skip
def test_a_list_paid_by_the_page_waits_until_what_gathered_is_worth_it(
    waiting: int, minutes: int, worth: float, is_read: bool
) -> None:
    one = tweet(Velocity(100.0, {REPLIES: 10_000.0}), minutes=minutes, retweets=waiting)
    limits = Limits(shortest=timedelta(minutes=5), worth=worth)
    lists = adaptive(one, prices=PRICES, limits=limits, now=NOW).lists
    assert lists >= {REPLIES, QUOTES}
    assert (RETWEETS in lists) is is_read


@given(velocities, limits, st.integers(0, 100))
def test_a_list_that_gathered_more_is_read_if_less_would_be(
    velocity: Velocity, limits: Limits, waiting: int
) -> None:
    less, more = (
        adaptive(tweet(velocity, retweets=n), prices=PRICES, limits=limits, now=NOW).lists
        for n in (waiting, waiting + 1)
    )
    assert less <= more


@given(st.lists(st.floats(0, 500), min_size=1, max_size=8), st.floats(0, 1e6))
def test_what_is_valued_is_as_much_as_a_budget_allows_and_no_more(
    per_hour: list[float], allowed: float
) -> None:
    tweets = [Activity(dict.fromkeys(LISTS, rate / 3), dict.fromkeys(LISTS, 500)) for rate in per_hour]
    plain = Limits()
    found = within(tweets, PRICES, plain, allowed=allowed)
    spent = sum(adaptive_spending(one, PRICES, found).credits for one in tweets)
    least = sum(adaptive_spending(one, PRICES, replace(plain, worth=1e-3)).credits for one in tweets)
    assert spent <= max(allowed, least) * 1.0001
    assert found.held_back or found == plain


@given(st.floats(0.01, 500))
def test_looking_more_often_costs_more(per_hour: float) -> None:
    one = Activity(dict.fromkeys(LISTS, per_hour / 3), dict.fromkeys(LISTS, 500))
    costs = [fixed_spending(one, PRICES, hours=each).credits for each in (0.1, 0.5, 1, 3)]
    assert costs == sorted(costs, reverse=True)


def test_the_fixed_cadence_looks_half_an_hour_after_it_asked() -> None:
    assert fixed(tweet(), now=NOW).at == NOW
    assert fixed(replace(tweet(), asked_at=NOW), now=NOW).at == NOW + CYCLE


def policy(lab: Lab, default: Cadence = Cadence.ADAPTIVE, **budget: float) -> LookPolicy:
    prices = look_prices(lab.db, lab.provider)
    return LookPolicy(default, budget=BudgetSettings(**budget), prices=lambda: prices)


@pytest.fixture
def one(db: Db) -> Iterator[Lab]:
    world = World(start=START, tweets=2, engagements=0.0, accounts=500, seed=3)
    with Simulator(world) as simulator:
        lab = Lab(db, simulator)
        lab.looks = policy(lab)
        yield lab
        lab.close()


def open_jobs(lab: Lab) -> set[tuple[str, str]]:
    return {(row["tweet_id"], row["job_type"]) for row in lab.db.jobs.find({"status": "pending"})}


def test_only_what_is_due_is_armed_and_never_twice(one: Lab) -> None:
    hot, cold = one.tweet_ids
    assert one.enqueue().jobs_armed == 2 * len(kinds())
    assert one.enqueue().jobs_armed == 0
    one.work_by_hand()
    for _ in range(6):
        one.advance(minutes=10)
        one.engage(REPLIES, 40)
        one.enqueue()
        one.work_by_hand()
    one.advance(minutes=5)
    armed = one.enqueue()
    assert {tweet_id for tweet_id, _ in open_jobs(one)} == {hot}
    assert one.enqueue().jobs_armed == 0
    assert armed.jobs_armed == len(open_jobs(one))
    one.work_by_hand()
    one.advance(hours=3, minutes=10)
    one.enqueue()
    assert {(cold, kind) for kind in kinds()} <= open_jobs(one)


def test_a_fixed_campaign_keeps_its_half_hour_however_often_enqueue_is_called(one: Lab) -> None:
    one.looks = policy(one, Cadence.FIXED)
    armed = []
    for _ in range(13):
        armed.append(one.enqueue().jobs_armed)
        one.work_by_hand()
        one.advance(minutes=5)
    assert [count > 0 for count in armed] == [n % 6 == 0 for n in range(13)]


def test_a_campaigns_own_cadence_wins(one: Lab) -> None:
    change(one.db, SLUG, cadence="fixed")
    one.add_campaign(campaign("other", at=one.now(), cadence="adaptive"))
    one.looks = policy(one, Cadence.FIXED)
    one.enqueue()
    one.work_by_hand()
    why = {slug: {look.why for look in _looks(one, slug).values()} for slug in (SLUG, "other")}
    assert why[SLUG] == {"every half hour"}
    assert all("engagements an hour" in said for said in why["other"])


def _looks(lab: Lab, slug: str) -> dict[str, Look]:
    assert lab.looks is not None
    return next_looks(lab.db, lab.campaign(slug), lab.looks, now=lab.now())


def test_a_look_as_late_as_meant_is_no_gap_and_a_later_one_is(one: Lab) -> None:
    one.advance(hours=100)
    waits = []
    for _ in range(8):
        one.enqueue()
        one.work_by_hand()
        due = max(look.at for look in _looks(one, SLUG).values())
        waits.append(due - one.now())
        one.advance(seconds=waits[-1].total_seconds())
    assert max(waits) > HOUR
    assert not any("gaps" in row for row in one.db.worker_state.find())
    one.advance(hours=9)
    one.enqueue()
    one.work_by_hand()
    assert all(len(row["gaps"]) == 1 for row in one.db.worker_state.find())


def test_a_spent_budget_slows_looks_down_and_says_so(one: Lab) -> None:
    for _ in range(3):
        one.enqueue()
        one.work_by_hand()
        one.advance(minutes=30)
        one.engage(REPLIES, 60)
    one.enqueue()
    one.work_by_hand()
    free = _looks(one, SLUG)[one.tweet_ids[0]]
    one.looks = policy(one, day_soft=2500.0)
    held = _looks(one, SLUG)[one.tweet_ids[0]]
    assert held.at > free.at
    assert held.why.endswith("the budget allows no more")


def test_the_last_cycle_reads_everything_whether_it_is_due_or_not(one: Lab) -> None:
    one.enqueue()
    one.work_by_hand()
    one.engage(RETWEETS, 3)
    change(one.db, SLUG, ends_at=one.now() + MINUTE)
    one.advance(minutes=2)
    assert one.enqueue().jobs_armed == 2 * len(kinds())
    one.work_by_hand()
    assert one.enqueue().campaigns_completed == 1
    one.assert_exact()


def test_a_campaign_stops_by_itself_when_it_is_cold_if_told_to(one: Lab) -> None:
    change(one.db, SLUG, stop_when_cold=True)
    one.enqueue()
    one.work_by_hand()
    completed = []
    for _ in range(6):
        one.advance(hours=12)
        completed.append(one.enqueue().campaigns_completed)
        one.work_by_hand()
    assert completed == [0, 0, 0, 0, 1, 0]


def test_a_tweet_that_cannot_be_read_is_asked_for_no_more_often_than_the_least(one: Lab) -> None:
    one.enqueue()
    one.db.jobs.update_many({}, {"$set": {"status": "failed"}})
    one.advance(minutes=2)
    assert one.enqueue().jobs_armed == 0
    one.advance(minutes=4)
    assert one.enqueue().jobs_armed == 2 * len(kinds())


def test_prices_are_what_the_provider_declares_and_pages_what_they_were(one: Lab) -> None:
    prices = look_prices(one.db, one.provider)
    assert (prices.counters, prices.items[RETWEETS], prices.items[REPLIES]) == (15.0, 18.0, 15.0)
    assert prices.pages == {RETWEETS: 20.0}


@given(st.floats(0, 1000))
def test_what_is_billed_once_a_day_is_polled_as_often_as_possible(per_hour: float) -> None:
    """However little there is to see: only the first poll of a day costs."""
    prices = replace(PRICES, once_a_day=True, pages={})
    rates = dict.fromkeys(LISTS, per_hour)
    assert interval(rates, prices, Limits()) == Limits().shortest
    often, seldom = (fixed_spending(Activity(rates, {}), prices, hours=each) for each in (0.1, 3.0))
    assert often.credits == pytest.approx(seldom.credits)


def test_what_a_campaign_may_spend_is_its_part_of_what_is_left_today(one: Lab) -> None:
    found = one.campaign()
    at = NOW.replace(hour=14)
    assert allowed_an_hour(one.db, found, BudgetSettings(), now=at) is None
    assert allowed_an_hour(one.db, found, BudgetSettings(day_hard=1000), now=at) == pytest.approx(100.0)
    assert allowed_an_hour(
        one.db, found, BudgetSettings(day_soft=500, campaign_hard=200), now=at
    ) == pytest.approx(20.0)


def test_a_campaigns_cadence_is_set_shown_and_heeded_by_the_commands(cli: Cli, one: Lab) -> None:
    cli("campaign", "edit", SLUG, "--cadence", "adaptive", "--stop-when-cold")
    shown = cli("campaign", "show", SLUG)["result"]
    assert (shown["campaign"]["cadence"], shown["campaign"]["stop_when_cold"]) == ("adaptive", True)
    assert {row["next_look"]["why"] for row in shown["tweets"]} == {"never polled"}
    everything = len(one.tweet_ids) * len(kinds())
    assert cli("enqueue", "--dry-run")["result"]["jobs_armed"] == everything
    assert cli("enqueue")["result"]["jobs_armed"] == everything
    one.db.jobs.update_many({}, {"$set": {"status": "completed"}})
    assert cli("enqueue")["result"]["jobs_armed"] == 0
    (looks,) = cli("status")["result"]["looks"]
    assert (looks["campaign"], looks["cadence"], looks["tweets"], looks["due"]) == (SLUG, "adaptive", 2, 0)
    assert "adaptive, next in 4 min (its first poll has no result yet), all in 4 min" in cli.text("status")[0]
    assert cli("enqueue", "--all")["result"]["jobs_armed"] == everything
    one.db.jobs.update_many({}, {"$set": {"status": "completed"}})
    cli("campaign", "edit", SLUG, "--clear", "cadence", "--no-stop-when-cold")
    assert cli("enqueue")["result"]["jobs_armed"] == everything
    assert (
        "must be 'fixed' or 'adaptive'"
        in cli("campaign", "edit", SLUG, "--cadence", "often", code=2)["error"]["message"]
    )


def test_a_budget_never_raises_what_is_valued() -> None:
    busy = [Activity({RETWEETS: 1e6}, {})]
    assert within(busy, PRICES, Limits(worth=0.0), allowed=0.0).worth == 0.0


def test_a_worth_of_next_to_nothing_is_no_division_by_zero() -> None:
    one = Activity({RETWEETS: 0.4}, {})
    assert adaptive_spending(one, PRICES, Limits(worth=5e-324)).credits > 0
