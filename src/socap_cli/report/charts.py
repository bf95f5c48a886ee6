"""Charts: bars between readings, as geometry for the page's SVG templates and by matplotlib as PNG; colours."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import numpy as np

from socap_cli.model.kinds import LISTS
from socap_cli.report.analytics import DAY, HOUR, ROUND_STEPS, tick_labels, ticks
from socap_cli.report.words import duration, short_number

Span = tuple[datetime, datetime]
LIGHT_GROUND, DARK_GROUND = "#ffffff", "#171c25"
BLACK, WHITE = "#000000", "#ffffff"
BOTTOM, TOP, LEFT, RIGHT = 36, 38, 48, 12
"""Room in pixels around a plot."""
MOST_POSTS = 60


@dataclass(frozen=True, slots=True)
class BarChart:
    """Counts of each action between readings."""

    spans: Sequence[Span]
    counts: Mapping[str, Sequence[int]]
    """By the name of the list, for each span."""
    unit: timedelta
    """A bar's height is its count in so much time."""
    zone: tzinfo
    baseline: int = 0
    gaps: Sequence[Span] = ()
    posts: Sequence[datetime] = ()
    note: tuple[datetime, str] | None = None

    @property
    def title(self) -> str:
        """What an axis of it says."""
        return f"engagements per {'day' if self.unit == DAY else 'hour'}"

    def heights(self, name: str) -> list[float]:
        """Per span, the count in a unit of time."""
        return [
            count / max((end - begin) / self.unit, 1e-9)
            for count, (begin, end) in zip(self.counts[name], self.spans, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart in pixels, as the template draws it."""

    name: str
    width: int
    height: int
    unit: str
    y_ticks: list[tuple[float, str]]
    x_ticks: list[tuple[float, str, str]]
    areas: list[tuple[int, str]] = field(default_factory=list)
    """(number of the colour, path)."""
    lines: list[tuple[int, str, str, float, float]] = field(default_factory=list)
    """(number of the colour, path, label, its place)."""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """(left, width)."""
    posts: str = ""
    note: tuple[float, str, str] | None = None
    top: int = TOP

    @property
    def bottom(self) -> int:
        """Where the axis of time is."""
        return self.height - BOTTOM


def bar_plot(chart: BarChart, name: str, width: int, height: int, dates: int, *, is_total: bool) -> Plot:
    """Stacked bars as wide as the time between readings, or a line of how many there were in all."""
    first, last = chart.spans[0][0], chart.spans[-1][1]
    across = _scale((first.timestamp(), last.timestamp()), (LEFT, width - RIGHT))

    def x_of(at: datetime) -> float:
        return float(across(at.timestamp()))

    heights = {kind: chart.heights(kind) for kind in chart.counts}
    sums = [sum(column) for column in zip(*heights.values(), strict=True)]
    reached = [chart.baseline]
    for column in zip(*chart.counts.values(), strict=True):
        reached.append(reached[-1] + sum(column))
    marks = nice_ticks(max(reached) if is_total else max([*sums, 0]))
    y_of = _scale((0, marks[-1]), (height - BOTTOM, TOP))
    gaps = [(max(begin, first), min(end, last)) for begin, end in chart.gaps]
    note = None
    if chart.note and first <= chart.note[0] <= last:
        place = x_of(chart.note[0])
        note = place, chart.note[1], "end" if place > width / 2 else "start"
    plot = Plot(
        name,
        width,
        height,
        "engagements in all" if is_total else chart.title,
        [(y_of(value), _tick(value)) for value in marks],
        [(x_of(at), text, _anchor(x_of(at), width)) for at, text in _dates(first, last, chart.zone, dates)],
        gaps=[(x_of(begin), max(x_of(end) - x_of(begin), 1)) for begin, end in gaps if begin < end],
        posts="".join(
            f"M{x_of(at):.1f} {height - BOTTOM + 1}l-4 7h8z" for at in chart.posts if first <= at <= last
        ),
        note=note,
    )
    if is_total:
        moments = [first, *(end for _, end in chart.spans)]
        points = (f"{x_of(at):.1f},{y_of(v):.1f}" for at, v in zip(moments, reached, strict=True))
        plot.lines.append((1, f"M{'L'.join(points)}", "", 0, 0))
        return plot
    floor_of = [0.0] * len(sums)
    for number, kind in enumerate(heights, start=1):
        path = []
        for n, ((begin, end), value) in enumerate(zip(chart.spans, heights[kind], strict=True)):
            if value:
                left, right = x_of(begin), x_of(end)
                right -= min(1.0, (right - left) / 4)
                low, high = y_of(floor_of[n]), y_of(floor_of[n] + value)
                path.append(f"M{left:.1f} {low:.1f}V{high:.1f}H{right:.1f}V{low:.1f}z")
                floor_of[n] += value
        plot.areas.append((number, "".join(path)))
    return plot


def age_plot(
    curves: Sequence[tuple[str, Sequence[tuple[float, float]]]], name: str, width: int, height: int, most: int
) -> Plot:
    """Curves of (seconds since the start, engagements) on common axes, named at their ends."""
    oldest = max((at for _, points in curves for at, _ in points), default=0) or 1
    marks = nice_ticks(max((value for _, points in curves for _, value in points), default=0))
    x_of = _scale((0, oldest), (LEFT, width - (150 if width > 500 else 100)))
    y_of = _scale((0, marks[-1]), (height - BOTTOM, TOP))
    step = next((step for step in ROUND_STEPS if oldest / step.total_seconds() <= most), ROUND_STEPS[-1])
    ages = [n * step for n in range(int(oldest / step.total_seconds()) + 1)]
    plot = Plot(
        name,
        width,
        height,
        "new engagements since the start, by age",
        [(y_of(value), _tick(value)) for value in marks],
        [
            (x_of(age.total_seconds()), duration(age) if age else "start", "middle" if age else "start")
            for age in ages
        ],
    )
    ends = [y_of(points[-1][1]) for _, points in curves]
    for number, ((name, points), place) in enumerate(
        zip(curves, _apart(ends, 15, y_of(0)), strict=True), start=1
    ):
        shown = [(x_of(max(at, 0)), y_of(max(value, 0))) for at, value in points]
        path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in shown)
        plot.lines.append((number, path, name, shown[-1][0] + 6, place + 4))
    return plot


def spark(
    values: Sequence[float], edges: Sequence[datetime], value: float | None, *, width: int, height: int
) -> str:
    """The path of a card's bars per hour, from 0, as wide as the time between readings.

    The highest fills the height when the figure grew by 8% or more in that time; of 2% it fills a quarter.
    """
    if not values or max(values) <= 0:
        return ""
    hours = [(end - begin) / HOUR for begin, end in pairwise(edges)]
    grown = sum(bar * span for bar, span in zip(values, hours, strict=True) if bar > 0)
    top = max(values) * max(1.0, 0.08 * (value or 0) / grown)
    x_of = _scale((edges[0].timestamp(), edges[-1].timestamp()), (0, width))
    return "".join(
        f"M{x_of(begin.timestamp()):.1f} {height}V{height - height * bar / top:.1f}"
        f"H{x_of(end.timestamp()) - 0.4:.1f}V{height}z"
        for (begin, end), bar in zip(pairwise(edges), values, strict=True)
        if bar > 0
    )


def nice_ticks(highest: float) -> list[float]:
    """Round values from 0 to one at or above the highest: six at most."""
    if highest <= 0:
        return [0, 1]
    power = 10.0 ** len(str(int(highest))) if highest >= 1 else 1.0
    steps = [power * part / 10**n for n in range(5) for part in (5, 2, 1)]
    step = min((step for step in steps if -(-highest // step) <= 5), default=power)
    return [step * n for n in range(int(-(-highest // step)) + 1)]


def _tick(value: float) -> str:
    return short_number(value) if value >= 10 or value == int(value) else f"{value:g}"


def _scale(domain: tuple[float, float], pixels: tuple[float, float]) -> Any:
    (low, high), (begin, end) = domain, pixels
    return lambda value: begin + (value - low) / ((high - low) or 1) * (end - begin)


def _anchor(place: float, width: int) -> str:
    return "start" if place < LEFT + 20 else "end" if place > width - RIGHT - 20 else "middle"


def _dates(first: datetime, last: datetime, zone: tzinfo, most: int) -> list[tuple[datetime, str]]:
    marks = ticks(first.astimezone(zone), last.astimezone(zone), most)
    return list(zip(marks, tick_labels(marks), strict=True))


def _apart(values: Sequence[float], least: float, largest: float) -> list[float]:
    """Places near these values, each at least so far from the next, and none beyond the largest."""
    places, order = list(values), sorted(range(len(values)), key=lambda n: values[n])
    for above, below in pairwise(order):
        places[below] = max(places[below], places[above] + least)
    places[order[-1]] = min(places[order[-1]], largest)
    for below, above in pairwise(reversed(order)):
        places[above] = min(places[above], places[below] - least)
    return places


def png_chart(chart: BarChart) -> bytes:
    """The stacked bars for mail and files: PNG on a solid ground, at twice the size."""
    from matplotlib import rc_context
    from matplotlib.dates import date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    width, height, soft, grid = 560, 260, "#5c6675", "#dfe3e9"
    fonts = {"font.family": "sans-serif", "font.sans-serif": ["Roboto", "Helvetica", "Arial", "DejaVu Sans"]}
    with rc_context({**fonts, "font.size": 10.0, "text.color": soft}):
        figure = Figure(figsize=(width / 72, height / 72))
        axes = figure.subplots()
        figure.subplots_adjust(left=58 / width, right=1 - 10 / width, top=1 - 30 / height, bottom=36 / height)
        axes.grid(axis="y", color=grid, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(grid)
        axes.tick_params(length=0, colors=soft, pad=5)
        axes.set_ylabel(chart.title, color=soft)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, min_n_ticks=2))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(round(value, 6))))
        begins, ends = (date2num(moments) for moments in zip(*chart.spans, strict=True))
        above = below = np.zeros(len(begins))
        for kind in LISTS.values():
            heights = np.array(chart.heights(kind.name))
            bottoms = np.where(heights >= 0, above, below)
            widths = (ends - begins) * 0.92
            axes.bar(begins, heights, widths, bottoms, align="edge", color=kind.colour, label=kind.label)
            above, below = above + np.maximum(heights, 0), below + np.minimum(heights, 0)
        for begin, end in chart.gaps:
            axes.axvspan(*date2num((begin, end)), facecolor="none", edgecolor=grid, hatch="///", zorder=0)
        axes.set_ylim(below.min() * 1.05, above.max(initial=1) * 1.12)
        axes.set_xlim(begins[0], ends[-1])
        dates = _dates(chart.spans[0][0], chart.spans[-1][1], chart.zone, 5)
        axes.set_xticks([date2num(at) for at, _ in dates], [text for _, text in dates])
        axes.legend(
            ncols=3, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0, fontsize=10
        )
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=144, facecolor="#fefefe", metadata={"Software": None})
    return out.getvalue()


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, from 0 (black) to 1 (white)."""
    parts = [value / 255 for value in bytes.fromhex(colour[1:])]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, part: float) -> str:
    """A colour with so much (0 to 1) of another in it."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def readable(colour: str, ground: str, ratio: float) -> str:
    """The colour, moved towards black or white until it has that contrast with its ground."""
    target = BLACK if luminance(ground) > 0.18 else WHITE
    steps = (mixed(colour, target, step / 20) for step in range(21))
    return next((changed for changed in steps if contrast(changed, ground) >= ratio), target)
