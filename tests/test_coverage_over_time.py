"""How complete a campaign was is told for each interval, the ones in which nobody looked among them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import SLUG, Lab
from support.terminal import Cli

from socap_cli.model.kinds import LISTS, METRICS, REPLIES, RETWEETS, counter_names
from socap_cli.model.list_state import GapRow
from socap_cli.report.analytics import CoverageRow, Interval, coverage_rows

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def interval(hours: int, retweets: int) -> Interval:
    totals = {**dict.fromkeys(counter_names(), 0), RETWEETS: retweets}
    return Interval(NOON + hours * HOUR, totals, totals)


def of(kind: str, rows: tuple[CoverageRow, ...]) -> list[CoverageRow]:
    return [row for row in rows if row.kind == kind]


def test_an_interval_in_which_nobody_looked_has_a_row_that_says_so() -> None:
    gap = GapRow(METRICS, NOON + 0.5 * HOUR, NOON + 2.5 * HOUR, "not read", tweets=3)
    rows = coverage_rows(
        [interval(0, 10), interval(3, 30)],
        [("retweet", NOON, 10), ("retweet", NOON + 3 * HOUR, 19), ("retweet", NOON + 3 * HOUR, -1)],
        [gap],
        step=HOUR,
        now=NOON + 3.2 * HOUR,
    )
    assert [(row.counter, row.collected, row.gaps, row.gap_minutes) for row in of(RETWEETS, rows)] == [
        (10, 10, 3, 90.0), (10, 10, 3, 180.0), (10, 10, 3, 90.0), (30, 28, 0, 0.0),
    ]  # fmt: skip
    assert [row.share for row in of(REPLIES, rows)] == [None] * 4


def test_a_gap_of_one_list_is_none_of_another_and_an_open_one_lasts_until_now() -> None:
    gap = GapRow(RETWEETS, NOON + 0.5 * HOUR, None, "over budget", tweets=2)
    rows = coverage_rows([interval(0, 1)], [], [gap], step=HOUR, now=NOON + 1.25 * HOUR)
    assert [(row.gaps, row.gap_minutes) for row in of(RETWEETS, rows)] == [(2, 60.0), (2, 30.0)]
    assert all(row.gaps == 0 for row in of(REPLIES, rows))


def test_without_a_reading_there_is_nothing_to_say() -> None:
    assert coverage_rows([], [("retweet", NOON, 1)], [], step=HOUR, now=NOON) == ()


@given(
    st.lists(st.tuples(st.integers(-3, 8), st.integers(-5, 50)), max_size=20),
    st.lists(st.tuples(st.integers(-60, 500), st.integers(1, 300), st.integers(1, 9)), max_size=8),
)
def test_the_last_row_holds_everything_and_the_minutes_of_gaps_are_all_there(
    stored: list[tuple[int, int]], gaps: list[tuple[int, int, int]]
) -> None:
    minute = timedelta(minutes=1)
    rows = coverage_rows(
        [interval(0, 5), interval(8, 9)],
        [("reply", NOON + hours * HOUR, n) for hours, n in stored],
        [GapRow(REPLIES, NOON + a * minute, NOON + (a + b) * minute, "late", t) for a, b, t in gaps],
        step=HOUR,
        now=NOON + 8.5 * HOUR,
    )
    mine = of(REPLIES, rows)
    assert len(rows) == 9 * len(LISTS)
    assert mine[-1].collected == sum(n for _, n in stored)
    within = sum(t * max(0, min(a + b, 540) - max(a, 0)) for a, b, t in gaps)
    assert sum(row.gap_minutes for row in mine) == pytest.approx(within)


def test_a_campaign_tells_its_coverage_as_csv(lab: Callable[..., Lab], cli: Cli) -> None:
    one = lab(tweets=2)
    one.engage(RETWEETS, 12)
    gone = one.engage(REPLIES, 6)
    one.cycle()
    one.advance(hours=3)
    one.withdraw(REPLIES, gone[0])
    one.engage(RETWEETS, 5)
    one.cycle(verify=True)
    words = (
        "metrics",
        "coverage",
        SLUG,
        "--granularity",
        "hour",
        "--to",
        f"{one.now() + HOUR:%Y-%m-%dT%H:%M}Z",
    )
    out, _ = cli.text(*words, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == len(cli(*words)["result"]["intervals"])
    of_kind = {
        kind: [(row["counter"], row["collected"]) for row in rows if row["kind"] == kind] for kind in LISTS
    }
    assert of_kind[RETWEETS][0] == ("12", "12")
    assert of_kind[REPLIES][0] == ("6", "6")
    assert of_kind[RETWEETS][-1][0] == "17"
    assert sum(row["kind"] == RETWEETS for row in rows) >= 4
