"""What a report counts, by rules that need no database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.model.engagement import BACKFILL, TIMED, EngagementColumns, Snapshot
from socap_cli.model.kinds import LISTS, Kind, ListKind, counter_names
from socap_cli.report import charts, tweets
from socap_cli.report.analytics import (
    STEPS,
    Audience,
    Engager,
    HalfLife,
    Reached,
    Series,
    amplification,
    at_ages,
    bucket_for,
    change,
    engagement_rate,
    floor,
    growth_between,
    half_life,
    hours_of_the_week,
    intervals,
    readings,
    roll_up,
    step_for,
    thin,
    tick_labels,
    ticks,
    velocity,
    within,
)
from socap_cli.report.analytics import (
    sum_series as sums_of_readings,
)
from socap_cli.report.charts import short_number
from socap_cli.report.crowd import Crowd
from socap_cli.report.page import count, duration
from socap_cli.report.words import list_names, number_only, one_engagement
from socap_cli.store.page_sums import bits_of, number_of

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sum_series(shots: Iterable[Snapshot], **options: timedelta) -> Series:
    return sums_of_readings(readings(shots), **options)


def shot(tweet: str, minutes: int, **counters: int | None) -> Snapshot:
    return Snapshot(tweet, START + timedelta(minutes=minutes), {**counters})


def test_a_tweet_that_joins_late_adds_to_totals_but_not_to_growth() -> None:
    series = sum_series([shot("a", 0, likes=10), shot("a", 30, likes=15), shot("b", 30, likes=500)])
    assert [point["likes"] for _, point in series.totals] == [10, 515]
    assert [point["likes"] for _, point in series.growth] == [0, 5]


def test_an_unknown_counter_keeps_its_last_value_and_a_fall_is_data() -> None:
    series = sum_series([shot("a", 0, likes=10), shot("a", 30), shot("a", 60, likes=7)])
    assert [point["likes"] for _, point in series.totals] == [10, 10, 7]
    assert series.growth[-1][1]["likes"] == -3


def test_two_readings_a_minute_apart_are_two_points() -> None:
    shots = [shot("a", 0, likes=10), shot("a", 1, likes=15)]
    series = sum_series(shots, bucket=bucket_for(HOUR / 60))
    assert len(series.growth) == 2
    assert len(intervals(series, step_for(HOUR / 60))) == 2


def test_intervals_add_up_to_the_growth() -> None:
    series = sum_series([shot("a", minutes, likes=minutes * 2) for minutes in range(0, 300, 30)])
    hours = intervals(series, STEPS["hour"])
    assert sum(interval.growth["likes"] for interval in hours) == series.growth[-1][1]["likes"] == 540
    assert [interval.growth["likes"] for interval in hours[:2]] == [60, 120]


def test_an_interval_counts_when_it_shares_a_moment_with_the_time_that_is_asked_for() -> None:
    days = intervals(sum_series([shot("a", 0, likes=1), shot("a", 26, likes=2)]), STEPS["day"])
    half_past = START + timedelta(minutes=5)
    assert within(days, STEPS["day"], since=half_past, until=None) == days
    assert within(days, STEPS["day"], since=START + timedelta(days=1), until=None) == ()
    assert within(days, STEPS["day"], since=None, until=floor(START, STEPS["day"])) == ()


counts = st.integers(0, 10**6)
shots = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 600), counts), max_size=40)


@given(shots)
def test_the_last_total_is_the_sum_of_last_values(rows: list[tuple[str, int, int]]) -> None:
    once = sorted({(row[0], row[1]): row for row in rows}.values(), key=lambda row: row[1])
    series = sum_series([shot(tweet, minutes, likes=likes) for tweet, minutes, likes in once])
    last = {tweet: likes for tweet, _, likes in once}
    firsts: dict[str, int] = {}
    for tweet, _, likes in once:
        firsts.setdefault(tweet, likes)
    assert (series.totals[-1][1]["likes"] if series.totals else 0) == sum(last.values())
    grown = series.growth[-1][1]["likes"] if series.growth else 0
    assert grown == sum(last.values()) - sum(firsts.values())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.none() | counts), max_size=40))
def test_sums_over_arrays_are_those_of_adding_one_reading_after_the_other(
    rows: list[tuple[str, int, int | None]],
) -> None:
    once = sorted({(row[0], row[1]): row for row in rows}.values(), key=lambda row: (row[1], row[0]))
    last: dict[str, int] = {}
    points: dict[datetime, tuple[int, int]] = {}
    total = grown = 0
    for tweet, minutes, likes in once:
        if likes is not None:
            total += likes - last.get(tweet, 0)
            grown += likes - last.get(tweet, likes)
            last[tweet] = likes
        points[START + timedelta(minutes=minutes // 5 * 5)] = total, grown
    series = sum_series([shot(tweet, minutes, likes=likes) for tweet, minutes, likes in once])
    found = {
        at: (totals["likes"], growth["likes"])
        for (at, totals), (_, growth) in zip(series.totals, series.growth, strict=True)
    }
    assert found == points


def test_growth_of_a_day_is_since_the_last_reading_before_it() -> None:
    series = sum_series([shot("a", minutes, likes=minutes) for minutes in (0, 60, 120, 180)])
    assert growth_between(series, START + timedelta(minutes=90))["likes"] == 120
    assert growth_between(sum_series([]), START) == dict.fromkeys(counter_names(), 0)


@given(st.integers(1, 60 * 60 * 24 * 400), st.integers(2, 12))
def test_ticks_are_round_few_and_within_and_the_first_has_a_date(seconds: int, most: int) -> None:
    end = START + timedelta(seconds=seconds)
    found = ticks(START, end, most)
    assert len(found) <= most
    assert all(START <= moment <= end for moment in found)
    if found:
        assert "Mar" in tick_labels(found)[0] or found[0].month != 3


@given(st.integers(2, 3000), st.integers(2, 500))
def test_thinning_keeps_the_last_point(size: int, most: int) -> None:
    points = [(START + timedelta(minutes=n), {"likes": n}) for n in range(size)]
    kept = thin(points, most)
    assert kept[-1] == points[-1]
    assert len(kept) <= most + 1
    assert tweets.thinned(points, "likes", most)[-1] == size - 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1250, "1.2k"), (99_960, "100k"), (123_456, "123k"), (2_500_000, "2.5M")],
)  # fmt: skip
def test_numbers_are_short(value: int, text: str) -> None:
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (90_000, "1 d 1 h")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_one_is_no_plural() -> None:
    assert [count(n, "tweet") for n in (0, 1, 1200)] == ["0 tweets", "1 tweet", "1,200 tweets"]


@pytest.mark.parametrize(
    ("counters", "rate"),
    [
        ({}, None),
        ({"views": 0, "likes": 3}, None),
        ({"views": None, "likes": 3}, None),
        ({"views": 200, "likes": 3, "retweets": 1, "replies": 1, "quotes": 1, "bookmarks": 4}, 0.05),
        ({"views": 100, "likes": None, "retweets": 5}, 0.05),
    ],
)
def test_the_engagement_rate_is_interactions_by_views(
    counters: dict[str, int | None], rate: float | None
) -> None:
    assert engagement_rate(counters) == rate


@given(st.integers(0, 10**9), st.integers(-(10**9), 10**9))
def test_a_change_and_what_was_before_give_what_is_now(now: int, moved: int) -> None:
    found = change(now, moved)
    if now - moved <= 0:
        assert found.percent is None
    else:
        assert found.percent == pytest.approx(100 * moved / (now - moved))


def growth(*values: int, every: timedelta = HOUR) -> list[tuple[datetime, dict[str, int]]]:
    return [
        (START + every * n, {**dict.fromkeys(counter_names(), 0), "retweets": v})
        for n, v in enumerate(values)
    ]


def test_velocity_is_growth_an_hour_within_the_window() -> None:
    assert velocity(growth(0, 10, 30, 60), over=HOUR * 2) == 25
    assert velocity(growth(0, 10), over=timedelta(days=1)) == 10
    assert velocity(growth(5), over=HOUR) is None
    assert velocity([], over=HOUR) is None


def test_half_life_is_the_first_reading_with_half_of_all_there_is() -> None:
    assert half_life(growth(1, 4, 6, 10), START - HOUR) == HalfLife(HOUR * 3)
    assert half_life(growth(8, 9, 10), START - HOUR) == HalfLife(HOUR, at_most=True)
    assert half_life(growth(0, 0), START) is None
    assert half_life(growth(1, 2), None) is None
    assert half_life(growth(1, 2), START + HOUR * 9) is None


people = st.dictionaries(st.sampled_from("abcd"), st.sets(st.integers(1, 12)), max_size=4)


@given(people)
def test_amplification_is_what_no_other_group_reached(audiences: dict[str, set[int]]) -> None:
    found = amplification(audiences)
    for name, reached in audiences.items():
        others = set().union(*(other for key, other in audiences.items() if key != name))
        assert found[name] == Audience(len(reached), len(reached - others))
        assert found[name].also_elsewhere == len(reached & others)


def test_a_roll_up_counts_people_once_for_each_follower_and_once_for_each_organisation() -> None:
    engagers = [Engager(("Ada", "bob"), 3), Engager(("bob",), 1), Engager((), 9)]
    assert roll_up(engagers) == (Reached("bob", 2, 4), Reached("Ada", 1, 3))
    assert roll_up(engagers, {"ada": "Fund", "bob": "Fund"}) == (Reached("Fund", 2, 4),)
    assert roll_up(engagers, {}) == ()


def test_an_age_that_was_not_read_is_not_known() -> None:
    found = at_ages(growth(0, 10, 30), START, [HOUR / 2, HOUR, HOUR * 2, HOUR * 3])
    assert [row.growth and row.growth["retweets"] for row in found] == [0, 10, 30, None]
    late = at_ages(growth(0, 10), START - HOUR * 5, [HOUR, HOUR * 6])
    assert [row.growth and row.growth["retweets"] for row in late] == [None, 10]


Row = tuple[int, int, int, int, float, int]
rows = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 1), st.integers(1, 9), st.integers(0, 3),
        st.sampled_from([float("nan"), 0.0, 5.0, 10.0, 40.0]), st.integers(0, 50),
    ),
    max_size=40,
)  # fmt: skip


def crowd_of(found: list[Row]) -> Crowd:
    """Rows of (tweet, action, user, flags, score, hour)."""
    columns = EngagementColumns(
        tweets=("11", "12", "13"),
        actions=("retweet", "reply"),
        label_names=(),
        tweet=np.array([row[0] for row in found], np.uint32),
        action=np.array([row[1] for row in found], np.uint8),
        source=np.arange(1, len(found) + 1, dtype=np.int64),
        user=np.array([row[2] for row in found], np.int64),
        labels=np.zeros(len(found), np.uint64),
        score=np.array([row[4] for row in found], np.float32),
        at=np.array([int((START + HOUR * row[5]).timestamp()) for row in found], np.uint32),
        flags=np.array([row[3] for row in found], np.uint8),
    )
    return Crowd(columns, threshold=10.0)


@given(rows)
def test_sums_over_columns_are_those_over_rows(found: list[Row]) -> None:
    crowd = crowd_of(found)
    heads = crowd.heads(START + HOUR * 20)
    important = {row[2] for row in found if row[4] >= 10}
    assert heads["engagements"].count == len(found)
    assert heads["engagements"].lately == sum(row[5] > 20 and not row[3] & BACKFILL for row in found)
    assert heads["people"].count == len({row[2] for row in found})
    assert heads["important"].count == len(important)
    assert heads["people"].before == len({row[2] for row in found if row[3] & BACKFILL})
    assert crowd.by_action() == {
        n: sum(row[1] == i for row in found) for i, n in enumerate(crowd.columns.actions)
    }
    assert sum(crowd.hours().values()) == sum(row[3] & TIMED > 0 for row in found)
    of_tweets = crowd.of_tweets(START + HOUR * 20)
    for n, tweet in enumerate(crowd.columns.tweets):
        mine = [row for row in found if row[0] == n]
        assert of_tweets[tweet]["all"] == len(mine)
        assert of_tweets[tweet]["important"] == len({row[2] for row in mine} & important)
        assert of_tweets[tweet]["lately"] == sum(row[5] > 20 and not row[3] & BACKFILL for row in mine)


@given(rows)
def test_audiences_over_columns_are_those_over_sets(found: list[Row]) -> None:
    crowd = crowd_of(found)
    sets: dict[str, set[int]] = {}
    for row in found:
        sets.setdefault(crowd.columns.tweets[row[0]], set()).add(row[2])
    known = {name: audience for name, audience in crowd.audiences().items() if audience.people}
    assert known == amplification(sets)


@given(rows)
def test_the_first_important_person_is_the_earliest_that_has_a_time(found: list[Row]) -> None:
    after, before = crowd_of(found).first_important(START)
    important = {row[2] for row in found if row[4] >= 10}
    known = [row[5] for row in found if row[2] in important and (row[3] & TIMED or not row[3] & BACKFILL)]
    assert after == (HOUR * min(known) if known else None)
    assert before == len({row[2] for row in found if row[3] & BACKFILL} & important)


@given(rows, st.integers(1, 50))
def test_selections_are_in_order_and_no_longer_than_asked_for(found: list[Row], limit: int) -> None:
    crowd = crowd_of(found)
    best = {
        user: max((r[4] for r in found if r[2] == user and r[4] == r[4]), default=-1)
        for _, _, user, *_ in found
    }
    by_source = {f"{i}": row for i, row in enumerate(found, start=1)}
    chosen = [by_source[key.rpartition(":")[2]] for key in crowd.most_important(limit)]
    assert len(chosen) == min(limit, len(found))
    ranks = [best[row[2]] for row in chosen]
    assert ranks == sorted(ranks, reverse=True)
    times = [by_source[key.rpartition(":")[2]][5] for key in crowd.newest(limit)]
    assert times == sorted(times, reverse=True)
    leaders = {by_source[key.rpartition(":")[2]][2] for key in crowd.leaders(limit)}
    assert len(leaders) <= limit
    assert all(best[user] > 0 for user in leaders)


@given(st.one_of(st.integers(0, 2**63 - 1).map(str), st.text()))
def test_an_id_is_a_number_that_gives_it_back_or_a_negative_one(text: str) -> None:
    number = number_of(text)
    assert str(number) == text if number >= 0 else -(2**63) <= number < 0


@given(st.integers(0, 2**64 - 1))
def test_bits_add_up_to_their_mask(mask: int) -> None:
    assert sum(1 << bit for bit in bits_of(mask)) == mask


@given(st.lists(st.integers(-(10**9), 10**9), max_size=60))
def test_a_polyline_stays_within_its_picture(values: list[int]) -> None:
    points = [tuple(map(float, point.split(","))) for point in charts.polyline(values, 96, 24).split()]
    assert len(points) == (len(values) if len(values) > 1 else 0)
    assert all(-0.1 <= x <= 96.1 and -0.1 <= y <= 24.1 for x, y in points)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), max_size=8))
def test_the_arcs_of_a_ring_fill_it(parts: dict[str, int]) -> None:
    arcs = charts.ring(parts)
    assert len(arcs) == sum(value > 0 for value in parts.values())
    assert not arcs or sum(arc.percent for arc in arcs) == pytest.approx(100)
    assert not arcs or arcs[-1].begins + arcs[-1].percent == pytest.approx(100)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), max_size=8))
def test_whole_percents_of_exclusive_parts_add_up_to_a_hundred(parts: dict[str, int]) -> None:
    found, whole = charts.hundredths(parts), sum(parts.values())
    assert sum(found.values()) == (100 if whole else 0)
    for name, value in parts.items():
        assert abs(found[name] - (100 * value / whole if whole else 0)) < 1


def test_the_hours_of_the_week_that_lie_between_two_moments() -> None:
    half_past = START + timedelta(minutes=30)
    assert hours_of_the_week(half_past, half_past + HOUR, UTC) == {(0, 12), (0, 13)}
    assert hours_of_the_week(half_past, half_past + HOUR, timezone(11 * HOUR)) == {(0, 23), (1, 0)}
    assert len(hours_of_the_week(START, START + timedelta(days=4), UTC)) == 97
    assert len(hours_of_the_week(START, START + timedelta(days=400), UTC)) == 168


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=24, max_size=24), min_size=7, max_size=7))
def test_a_shade_is_nothing_only_for_nothing(table: list[list[int]]) -> None:
    for row, levels in zip(table, charts.shades(table), strict=True):
        assert all(
            (level == 0) == (value == 0) and level <= 5 for value, level in zip(row, levels, strict=True)
        )


@given(
    st.from_regex(r"#[0-9a-f]{6}", fullmatch=True),
    st.sampled_from([charts.LIGHT_GROUND, charts.DARK_GROUND]),
)
def test_every_accent_becomes_one_that_can_be_read(accent: str, ground: str) -> None:
    assert charts.contrast(charts.readable(accent, ground, 4.5), ground) >= 4.5


def test_a_page_names_the_lists_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (list_names(), list_names(True), list_names(False)) == (
        "retweets, replies and quotes", "replies and quotes", "retweets",
    )  # fmt: skip
    assert number_only() == "likes and views"
    assert one_engagement() == "One retweet, one reply or one quote"
    likes = ListKind(Kind("likes"), "like", "liked", "Likes", "#8a4fd1", is_post=False, priority=4)
    monkeypatch.setitem(LISTS, likes.name, likes)
    assert (list_names(), list_names(False)) == ("retweets, replies, quotes and likes", "retweets and likes")
    assert number_only() == "views"
