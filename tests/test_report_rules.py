"""What a report counts, by rules that need no database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socap_cli.model.engagement import BACKFILL, TIMED, EngagementColumns, Snapshot
from socap_cli.model.kinds import LISTS, Kind, ListKind, counter_names
from socap_cli.model.list_state import GapRow
from socap_cli.report import charts
from socap_cli.report.analytics import (
    DAY,
    READING,
    STEPS,
    Audience,
    GapSpan,
    HalfLife,
    Pace,
    Series,
    at_ages,
    edges_of,
    engagement_rate,
    floor,
    growth_between,
    half_life,
    intervals,
    merged_gaps,
    periods,
    readings,
    tick_labels,
    ticks,
    velocity,
    within,
)
from socap_cli.report.analytics import (
    sum_series as sums_of_readings,
)
from socap_cli.report.sums import EngagementSums
from socap_cli.report.words import (
    compared,
    duration,
    list_names,
    one_engagement,
    percent,
    short_number,
)
from socap_cli.store.page_sums import number_of

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sum_series(shots: Iterable[Snapshot], bucket: timedelta | None = READING) -> Series:
    return sums_of_readings(readings(shots), bucket=bucket)


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


LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("likes", "totals", "growth"),
    [
        ([None, None], [None, None], [None, None]),
        ([None, 5], [None, 5], [None, 0]),
        ([5, None], [5, 5], [0, 0]),
        ([0, 0], [0, 0], [0, 0]),
        ([LARGEST, LARGEST], [LARGEST, LARGEST], [0, 0]),
        ([0, LARGEST], [0, LARGEST], [0, LARGEST]),
    ],
)
def test_an_unknown_counter_is_unknown_until_a_reading_gives_it(
    likes: list[int | None], totals: list[int | None], growth: list[int | None]
) -> None:
    shots = [shot("a", 60 * n, likes=value) for n, value in enumerate(likes)]
    rows = intervals(sum_series([*shots, shot("b", 0)]), STEPS["hour"])
    assert [row.totals["likes"] for row in rows] == totals
    assert [row.growth["likes"] for row in rows] == growth


def test_two_readings_a_minute_apart_are_two_points() -> None:
    shots = [shot("a", 0, likes=10), shot("a", 1, likes=15)]
    series = sum_series(shots, bucket=None)
    assert len(series.growth) == 2
    assert edges_of([at for at, _ in series.growth]) == (START, START + HOUR / 60)


def test_intervals_add_up_to_the_growth() -> None:
    series = sum_series([shot("a", minutes, likes=minutes * 2) for minutes in range(0, 300, 30)])
    hours = intervals(series, STEPS["hour"])
    assert sum(interval.growth["likes"] or 0 for interval in hours) == series.growth[-1][1]["likes"] == 540
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
    points: dict[datetime, tuple[int | None, int]] = {}
    total = grown = 0
    for tweet, minutes, likes in once:
        if likes is not None:
            total += likes - last.get(tweet, 0)
            grown += likes - last.get(tweet, likes)
            last[tweet] = likes
        points[START + timedelta(minutes=minutes // 5 * 5)] = (total if last else None), grown
    series = sum_series([shot(tweet, minutes, likes=likes) for tweet, minutes, likes in once])
    found = {
        at: (totals["likes"], growth["likes"])
        for (at, totals), (_, growth) in zip(series.totals, series.growth, strict=True)
    }
    assert found == points


def test_growth_of_a_day_is_since_the_last_reading_before_it() -> None:
    series = sum_series([shot("a", minutes, likes=minutes) for minutes in (0, 60, 120, 180)])
    half_past, two = START + timedelta(minutes=90), START + timedelta(minutes=120)
    assert growth_between(series.growth, half_past)["likes"] == 120
    assert growth_between(series.growth, half_past, two)["likes"] == 60
    assert growth_between((), START) == dict.fromkeys(counter_names(), 0)


@given(st.integers(1, 60 * 60 * 24 * 400), st.integers(2, 12))
def test_ticks_are_round_few_and_within_and_the_first_has_a_date(seconds: int, most: int) -> None:
    end = START + timedelta(seconds=seconds)
    found = ticks(START, end, most)
    assert len(found) <= most
    assert all(START <= moment <= end for moment in found)
    if found:
        assert "Mar" in tick_labels(found)[0] or found[0].month != 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1250, "1.2k"), (99_960, "100k"), (123_456, "123k"), (2_500_000, "2.5M")],
)  # fmt: skip
def test_numbers_are_short(value: int, text: str) -> None:
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (86_400, "24 h"), (90_000, "1 day 1 h")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("counters", "rate"),
    [
        ({}, None),
        ({"views": 0, "likes": 3}, None),
        ({"views": None, "likes": 3}, None),
        ({"views": 2000, "likes": 30, "retweets": 10, "replies": 10, "quotes": 10, "bookmarks": 40}, 0.05),
        ({"views": 1000, "likes": None, "retweets": 50}, 0.05),
        ({"views": 999, "retweets": 50}, None),
    ],
)
def test_the_engagement_rate_is_interactions_by_views(
    counters: dict[str, int | None], rate: float | None
) -> None:
    assert engagement_rate(counters) == rate


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


def test_an_age_that_was_not_read_is_not_known() -> None:
    found = at_ages(growth(0, 10, 30), START, [HOUR / 2, HOUR, HOUR * 2, HOUR * 3])
    assert [known and known["retweets"] for known in found.values()] == [None, 10, 30, None]
    late = at_ages(growth(0, 10), START - HOUR * 5, [HOUR, HOUR * 6])
    assert [known and known["retweets"] for known in late.values()] == [None, 10]
    later = at_ages(
        [*growth(0), (START + HOUR * 4, growth(0, 7)[1][1])], START, [HOUR * n for n in range(1, 5)]
    )
    assert [known and known["retweets"] for known in later.values()] == [None, None, None, 7]


@pytest.mark.parametrize(
    ("hours", "span", "before"),
    [
        (0.01, 0.01, 0), (0.5, 0.5, 0), (1, 0.5, 0.5), (5, 1, 1), (12, 6, 6), (29, 12, 12), (30, 24, 6), (48, 24, 24),
        (720, 24, 24),
    ],
)  # fmt: skip
def test_a_day_is_compared_with_the_day_before_and_less_with_as_much(
    hours: float, span: float, before: float
) -> None:
    every_half_hour = [START + HOUR * n / 2 for n in range(max(1, int(hours * 2)))]
    assert periods([*every_half_hour, START + HOUR * hours]) == (HOUR * span, HOUR * before)


@pytest.mark.parametrize(
    ("readings", "span", "before"),
    [([0, 12, 24, 36, 48], 24, 24), ([0, 12, 24], 12, 12), ([0, 48], 48, 0), ([0, 46, 47, 48], 1, 1)],
)
def test_no_period_begins_where_nothing_was_read(readings: list[int], span: int, before: int) -> None:
    assert periods([START + HOUR * at for at in readings]) == (HOUR * span, HOUR * before)


@pytest.mark.parametrize(
    ("pace", "change", "text"),
    [
        (Pace(1506, DAY, 16_767, DAY), -0.91, "91% fewer than the day before"),
        (Pace(0, DAY, 12, DAY), -1, "down from 12 the day before"),
        (Pace(1, DAY, 1000, DAY), -0.999, "over 99% fewer than the day before"),
        (Pace(101, DAY, 100, DAY), 0.01, "about as many as the day before"),
        (Pace(130, DAY, 100, DAY), 0.3, "30% more than the day before"),
        (Pace(250, DAY, 100, DAY), 1.5, "2.5 times as many as the day before"),
        (Pace(60, DAY, 60, HOUR * 6), -0.75, "75% slower than the 6 h before"),
        (Pace(24, DAY, 6, HOUR * 6), 0, "as fast as the 6 h before"),
        (Pace(5, DAY, 0, DAY), None, "none the day before"),
        (Pace(0, DAY, 0, DAY), None, "none the day before either"),
        (Pace(5, HOUR), None, ""),
    ],
)
def test_a_pace_is_told_beside_that_of_the_period_before(pace: Pace, change: float | None, text: str) -> None:
    assert pace.change == (None if change is None else pytest.approx(change, abs=0.006))
    assert compared(pace) == text


def test_a_bar_is_as_wide_as_the_time_between_readings_and_its_height_an_hours() -> None:
    every_four = [START + HOUR * 4 * n for n in range(5)]
    series = sum_series([shot("a", 240 * n, likes=40 * n) for n in range(5)])
    assert edges_of(every_four) == tuple(every_four)
    grown = [growth_between(series.growth, *bar)["likes"] for bar in pairwise(every_four)]
    assert grown == [40] * 4
    chart = charts.BarChart([(every_four[0], every_four[1])], {"retweets": [40]}, HOUR, UTC)
    assert chart.heights("retweets") == [10.0]


@given(st.lists(st.integers(0, 60 * 24 * 60), min_size=2, max_size=300, unique=True))
def test_bars_begin_at_the_first_reading_end_at_the_last_and_are_few(minutes: list[int]) -> None:
    moments = sorted(START + timedelta(minutes=n) for n in minutes)
    edges = edges_of(moments)
    assert (edges[0], edges[-1]) == (moments[0], moments[-1])
    assert list(edges) == sorted(set(edges))
    assert set(edges) <= set(moments)
    assert len(edges) <= 63


def test_gaps_that_touch_are_one_and_say_how_often_was_read_in_it() -> None:
    def gap(begin: float, end: float | None, tweets: int = 1, kind: str = "metrics") -> GapRow:
        ends_at = None if end is None else START + HOUR * end
        return GapRow(kind, START + HOUR * begin, ends_at, "not read", tweets)

    rows = [gap(4 * n, 4 * n + 4, tweets=2) for n in range(9)] + [gap(0.02, 4.02), gap(50, 51), gap(60, None)]
    found = merged_gaps([*rows, gap(1, 2, kind="replies")])
    assert [(one.kind, one.begins_at, one.pieces) for one in found] == [
        ("metrics", START + HOUR * 60, 1), ("metrics", START + HOUR * 50, 1), ("replies", START + HOUR, 1),
        ("metrics", START, 9),
    ]  # fmt: skip
    assert (found[-1].ends_at, found[-1].tweets, found[-1].every) == (START + HOUR * 36, 2, HOUR * 4)
    assert found[1].every is None
    assert merged_gaps([]) == ()
    assert isinstance(found[0], GapSpan)


Row = tuple[int, int, int, int, float, int]
rows = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 1), st.integers(1, 9), st.integers(0, 3),
        st.sampled_from([float("nan"), 0.0, 5.0, 10.0, 40.0]), st.integers(0, 50),
    ),
    max_size=40,
)  # fmt: skip


def sums_of(found: list[Row]) -> EngagementSums:
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
    return EngagementSums(columns, threshold=10.0)


@given(rows)
def test_sums_over_columns_are_those_over_rows(found: list[Row]) -> None:
    sums = sums_of(found)
    important = {row[2] for row in found if row[4] >= 10}
    fresh = [row for row in found if not row[3] & BACKFILL]
    new = sums.between(START + HOUR * 20)
    assert new["engagements"] == sum(row[5] > 20 for row in fresh)
    assert sums.between(START, START + HOUR * 20)["engagements"] == sum(0 < row[5] <= 20 for row in fresh)
    assert len(sums.importance) == len({row[2] for row in found})
    assert int(sums.is_important.sum()) == len(important)
    assert sums.baseline()["people"] == len({row[2] for row in found if row[3] & BACKFILL})
    assert sums.by_action() == {
        n: sum(row[1] == i for row in found) for i, n in enumerate(sums.columns.actions)
    }
    assert sum(map(sum, sums.by_weekday(UTC))) == sum(row[3] & TIMED > 0 for row in found)
    edges = [START + HOUR * n for n in (0, 5, 20, 51)]
    bars = sums.bars(edges)
    assert sum(bars["engagements"]) == len(fresh)
    assert sum(bars["people"]) == len({row[2] for row in found}) - sums.baseline()["people"]
    assert sum(bars["important"]) == len(important - {row[2] for row in found if row[3] & BACKFILL})
    assert [sum(column) for column in zip(bars["retweet"], bars["reply"], strict=True)] == list(
        bars["engagements"]
    )
    of_tweets = sums.of_tweets(START + HOUR * 20)
    for n, tweet in enumerate(sums.columns.tweets):
        mine = [row for row in found if row[0] == n]
        assert of_tweets[tweet]["all"] == len(mine)
        assert of_tweets[tweet]["lately"] == sum(row[5] > 20 and not row[3] & BACKFILL for row in mine)


@given(rows)
def test_audiences_over_columns_are_those_over_sets(found: list[Row]) -> None:
    sums = sums_of(found)
    important = {row[2] for row in found if row[4] >= 10}
    sets: dict[str, set[int]] = {}
    for row in found:
        sets.setdefault(sums.columns.tweets[row[0]], set()).add(row[2])
    expected = {}
    for name, people in sets.items():
        others = set().union(*(other for key, other in sets.items() if key != name))
        expected[name] = Audience(len(people), len(people - others), len(people & important))
    assert {name: one for name, one in sums.audiences().items() if one.people} == expected


@given(rows)
def test_the_first_important_person_is_the_earliest_that_has_a_time(found: list[Row]) -> None:
    first = sums_of(found).first_important(START)
    important = {row[2] for row in found if row[4] >= 10}
    known = [row[5] for row in found if row[2] in important and (row[3] & TIMED or not row[3] & BACKFILL)]
    assert (first[0] if first else None) == (HOUR * min(known) if known else None)


def test_an_hour_is_that_of_the_time_zone_also_where_it_begins_at_half_past() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    quarter_past = sums_of([(0, 1, 1, TIMED, 0.0, 8)])  # 20:00 UTC on a Monday is 01:30 on Tuesday
    assert quarter_past.by_weekday(india)[1][1] == 1


@given(rows, st.integers(1, 50))
def test_selections_are_in_order_and_no_longer_than_asked_for(found: list[Row], limit: int) -> None:
    sums = sums_of(found)
    best = {
        user: max((r[4] for r in found if r[2] == user and r[4] == r[4]), default=-1)
        for _, _, user, *_ in found
    }
    by_source = {f"{i}": row for i, row in enumerate(found, start=1)}
    chosen = [by_source[key.rpartition(":")[2]] for key in sums.most_important(limit)]
    assert len(chosen) == min(limit, len(found))
    ranks = [best[row[2]] for row in chosen]
    assert ranks == sorted(ranks, reverse=True)
    times = [by_source[key.rpartition(":")[2]][5] for key in sums.newest(limit)]
    assert times == sorted(times, reverse=True)
    leaders = {by_source[key.rpartition(":")[2]][2] for key in sums.leaders(limit)}
    assert len(leaders) <= limit
    assert all(best[user] >= 10 for user in leaders)


@given(st.one_of(st.integers(0, 2**63 - 1).map(str), st.text()))
def test_an_id_is_a_number_that_gives_it_back_or_a_negative_one(text: str) -> None:
    number = number_of(text)
    assert str(number) == text if number >= 0 else -(2**63) <= number < 0


@given(st.floats(0, 1e9))
def test_the_highest_tick_is_at_or_above_the_highest_value_and_ticks_are_few(highest: float) -> None:
    found = charts.nice_ticks(highest)
    assert found[0] == 0
    assert found[-1] >= highest * 0.9999
    assert len(found) <= 6


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 1, "–"), (0, 1, "0.0%"), (0.9876, 1, "98.8%"), (0.99996, 1, "99.9%"), (1, 1, "100%"),
        (1.024, 1, "102.4%"), (0.996, 0, "99%"), (0.0184, 2, "1.84%"),
    ],
)  # fmt: skip
def test_only_all_of_it_is_100_percent(value: float | None, digits: int, text: str) -> None:
    assert percent(value, digits) == text


def highest_bar(values: list[float], value: float) -> float:
    edges = [START + HOUR * n for n in range(len(values) + 1)]
    path = charts.spark(values, edges, value, width=100, height=100)
    return 100 - min((float(part.split("H")[0]) for part in path.split("V")[1::2]), default=100.0)


@pytest.mark.parametrize(
    ("values", "value", "height"),
    [
        ([0.0, 1.0], 821, 1.5),
        ([10.0, 6.0], 900, 22.2),
        ([50.0, 30.0], 100, 100),
        ([0.0], 5, 0),
        ([3.0], None, 100),
    ],
)
def test_a_small_change_is_a_low_bar(values: list[float], value: float, height: float) -> None:
    assert highest_bar(values, value) == pytest.approx(height, abs=0.5)


@given(
    st.from_regex(r"#[0-9a-f]{6}", fullmatch=True),
    st.sampled_from([charts.LIGHT_GROUND, charts.DARK_GROUND]),
)
def test_every_accent_becomes_one_that_can_be_read(accent: str, ground: str) -> None:
    assert charts.contrast(charts.readable(accent, ground, 4.5), ground) >= 4.5


def test_a_page_names_the_lists_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_names() == "retweets, replies and quotes"
    assert one_engagement() == "One retweet, one reply or one quote"
    likes = ListKind(Kind("likes"), "like", "liked", "Likes", "#8a4fd1", is_post=False, priority=4)
    monkeypatch.setitem(LISTS, likes.name, likes)
    assert list_names() == "retweets, replies, quotes and likes"


@given(st.lists(st.floats(0, 200), min_size=1, max_size=8))
def test_labels_of_curves_stay_apart_and_within_the_plot(ends: list[float]) -> None:
    places = charts._apart(ends, 15, 200)
    assert all(below - above >= 14.999 for above, below in pairwise(sorted(places)))
    assert max(places) <= 200
