"""The key figures with their change and their curve. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from socap_cli.model.kinds import Counters, counter_names
from socap_cli.model.list_state import TweetState
from socap_cli.report.analytics import DAY, change, engagement_rate
from socap_cli.report.crowd import Head
from socap_cli.report.series import Point, Series, growth_between, value_at
from socap_cli.report.sums import CrowdSums
from socap_cli.report.values import Figure

CURVE = timedelta(hours=48)
POINTS = 40
COUNTED = ("views", "likes")
PEOPLE = ("people", "important", "engagements")


def sums(states: Iterable[TweetState]) -> Counters:
    """Per counter the sum of the last known values; None when no tweet's is known."""
    known = list(states)
    return {name: _sum([state.counters.get(name) for state in known]) for name in counter_names()}


def _sum(values: Sequence[int | None]) -> int | None:
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def moments(first: datetime, last: datetime, *, most: int = POINTS) -> tuple[datetime, ...]:
    """At most so many moments, evenly spread, the last one among them."""
    begin = max(first, last - CURVE)
    step = (last - begin) / (most - 1)
    return tuple(last - step * n for n in range(most - 1, -1, -1)) if step else (last,)


def grid_of(first: datetime | None, as_of: datetime | None) -> tuple[datetime, ...]:
    """The moments of the curves; none before a reading."""
    return moments(first, as_of) if first and as_of else ()


def key_figures(
    crowd: CrowdSums, series: Series, totals: Counters, grid: Sequence[datetime]
) -> dict[str, Figure]:
    """People, important people, engagements, views and likes; `grid`: when, for their curves and changes."""
    found = {
        name: _of_people(name, crowd.heads[name], crowd.curves[name], known=bool(grid)) for name in PEOPLE
    }
    as_of = grid[-1] if grid else None
    lately = growth_between(series, as_of - DAY) if as_of else {}
    for name in COUNTED:
        value = totals.get(name)
        moved = change(value, lately[name]) if grid and value is not None else None
        curve = tuple((value_at(series.totals, at) or series.totals[0][1])[name] for at in grid)
        found[name] = Figure(name, value, moved, None, curve if value is not None else ())
    return found


def _of_people(name: str, head: Head, curve: tuple[int, ...], *, known: bool) -> Figure:
    moved = change(head.count, head.lately) if known else None
    return Figure(name, head.count, moved, head.before, curve)


def rate_before(
    totals: Counters, growth: dict[str, int], series: Series, since: datetime | None
) -> float | None:
    """The engagement rate as it was before the last day's growth; None when nothing was read by then."""
    if since is None or value_at(series.totals, since) is None:
        return None
    return engagement_rate(
        {name: value - growth.get(name, 0) if value is not None else None for name, value in totals.items()}
    )


def thinned(points: Sequence[Point], name: str, most: int = POINTS) -> tuple[int, ...]:
    """One counter of a series at most so many times, the first and the last among them."""
    if len(points) <= most:
        return tuple(values[name] for _, values in points)
    places = [round(n * (len(points) - 1) / (most - 1)) for n in range(most)]
    return tuple(points[place][1][name] for place in places)
