"""Curves by matplotlib: two panels over one time axis, growth per interval above, growth in all below."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from socap_cli.model.kinds import LISTS
from socap_cli.report import ink
from socap_cli.report.series import Interval, Point, thin, tick_labels, ticks

MOST_POINTS = 200
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Shape:
    """A chart's size in pixels, how many dates stand under it, and the room for the labels at the lines' ends."""

    name: str
    width: int
    height: int
    dates: int
    label_room: int


WIDE = Shape("wide", 1076, 420, 10, 104)
MID = Shape("mid", 700, 400, 6, 100)
NARROW = Shape("narrow", 304, 360, 4, 82)
MAIL = Shape("mail", 440, 340, 4, 96)
SHAPES = (WIDE, MID, NARROW)


@dataclass(frozen=True, slots=True)
class Line:
    """One counter and how it is drawn."""

    name: str
    label: str
    colour: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that is in a chart."""

    points: Sequence[Point]
    """Growth since the first reading."""
    columns: Sequence[Interval]
    step: timedelta
    zone: tzinfo
    gaps: Sequence[Span] = ()
    posts: Sequence[tuple[datetime, str]] = ()
    """When tweets were posted, and the mark for their category."""
    alerts: Sequence[datetime] = ()
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """The inks of a picture."""

    lines: Sequence[Line]
    soft: str
    grid: str
    font: float = 11.0


def list_lines(colours: Sequence[str] | None = None) -> tuple[Line, ...]:
    """A line for each kind of list, in its own colour or in these."""
    inks = colours or [kind.colour for kind in LISTS.values()]
    return tuple(
        Line(kind.name, kind.label, colour) for kind, colour in zip(LISTS.values(), inks, strict=False)
    )


def svg_chart(drawing: Drawing, shape: Shape, *, salt: str) -> str:
    """The chart as inline SVG in the page's own colours; empty when there are fewer than two points."""
    if len(drawing.points) < 2:
        return ""
    from matplotlib import rc_context

    style = Style(list_lines(ink.series(len(LISTS))), ink.SOFT, ink.GRID)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{salt}-{shape.name}"}):
        figure = _draw(drawing, shape, style)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return ink.inline(out.getvalue(), prefix=f"{salt}-{shape.name}")


def png_chart(drawing: Drawing, *, shape: Shape = MAIL) -> bytes:
    """The same for mail: PNG on a solid ground in fixed colours; empty when there is nothing to draw."""
    if len(drawing.points) < 2:
        return b""
    style = Style(list_lines(), "#5c6675", "#dfe3e9", font=12.0)
    figure = _draw(drawing, shape, style)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=144, facecolor="#fefefe", metadata={"Software": None})
    return out.getvalue()


def _draw(drawing: Drawing, shape: Shape, style: Style) -> Any:
    """One unit of the figure is a pixel of the page: 72 points an inch."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": style.font, "text.color": style.soft}):
        figure = Figure(figsize=(shape.width / 72, shape.height / 72))
        left, right = 44 / shape.width, 1 - shape.label_room / shape.width
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        figure.subplots_adjust(
            left=left, right=right, top=1 - 26 / shape.height, bottom=40 / shape.height, hspace=0.28
        )
        for axes in (upper, lower):
            _dress(axes, style)
        _fill_columns(upper, drawing, style)
        _fill_lines(lower, drawing, style, shape)
        _mark(upper, lower, drawing, style)
        _date(upper, lower, drawing, shape)
    return figure


def _dress(axes: Any, style: Style) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.grid(axis="y", color=style.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(style.grid)
    axes.tick_params(length=0, colors=style.soft, pad=5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=2))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


def _fill_columns(axes: Any, drawing: Drawing, style: Style) -> None:
    """Growth per interval, one action upon the other; what fell goes below the axis."""
    width = drawing.step / timedelta(days=1)
    above, below = [0] * len(drawing.columns), [0] * len(drawing.columns)
    places = [_day(column.starts_at) for column in drawing.columns]
    for line in style.lines:
        heights = [column.growth[line.name] for column in drawing.columns]
        bottoms = [above[n] if value >= 0 else below[n] for n, value in enumerate(heights)]
        boxes = [
            (at, bottom, at + width * 0.86, bottom + height)
            for at, bottom, height in zip(places, bottoms, heights, strict=True)
            if height
        ]
        _fill(axes, boxes, line.colour)
        for n, value in enumerate(heights):
            above[n], below[n] = above[n] + max(value, 0), below[n] + min(value, 0)
    axes.set_ylim(min(below, default=0) * 1.05, max([*above, 1]) * 1.12)


def _fill(axes: Any, boxes: Sequence[tuple[float, float, float, float]], colour: str) -> None:
    """Boxes of (left, bottom, right, top) as one path: a fraction of the markup and time of a patch each."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if not boxes:
        return
    corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)] for x0, y0, x1, y1 in boxes]
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(boxes)
    path = Path([corner for box in corners for corner in box], codes)
    axes.add_patch(PathPatch(path, facecolor=colour, edgecolor="none", linewidth=0))


def _fill_lines(axes: Any, drawing: Drawing, style: Style, shape: Shape) -> None:
    points = thin(drawing.points, MOST_POINTS)
    times = [_day(moment) for moment, _ in points]
    for line in style.lines:
        axes.plot(times, [values[line.name] for _, values in points], color=line.colour, linewidth=2)
    ends = [(points[-1][1][line.name], line) for line in style.lines]
    low = min([0, *(values[line.name] for _, values in points for line in style.lines)])
    high = max([1, *(values[line.name] for _, values in points for line in style.lines)])
    axes.set_ylim(low * 1.05, high * 1.08)
    per_pixel = (high * 1.08 - low * 1.05) / (shape.height * 0.5)
    for place, (value, line) in zip(_apart([v for v, _ in ends], 15 * per_pixel), ends, strict=True):
        axes.annotate(
            f"{line.label} {short_number(value)}", (times[-1], place), (7, 0), textcoords="offset points",
            va="center", color=line.colour, annotation_clip=False,
        )  # fmt: skip


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Places near these values, each at least so far from the next."""
    order = sorted(range(len(values)), key=lambda n: values[n])
    places = list(values)
    for below, above in pairwise(order):
        places[above] = max(places[above], places[below] + least)
    return places


def _mark(upper: Any, lower: Any, drawing: Drawing, style: Style) -> None:
    """Gaps with a word, posts, alerts, and the campaign's end."""
    first, last = drawing.points[0][0], drawing.points[-1][0]
    for begin, end in drawing.gaps:
        for axes in (upper, lower):
            axes.axvspan(_day(begin), _day(end), facecolor=style.grid, edgecolor="none", alpha=0.55, zorder=0)
        if (end - begin) / max(last - first, timedelta(seconds=1)) > 0.06:
            _write(lower, begin + (end - begin) / 2, 0.9, "not read", style)
    for moment, mark in drawing.posts:
        _write(upper, moment, 1.03, mark, style)
    for moment in drawing.alerts:
        upper.plot(
            [_day(moment)] * 2, [0.94, 1.0], transform=upper.get_xaxis_transform(), color=style.soft,
            linewidth=1.4, clip_on=False,
        )  # fmt: skip
    if drawing.ends_at and first <= drawing.ends_at <= last:
        for axes in (upper, lower):
            axes.axvline(_day(drawing.ends_at), color=style.soft, linewidth=1, linestyle=(0, (3, 3)))
        _write(upper, drawing.ends_at, 1.03, "end ", style, aligned="right")


def _write(
    axes: Any, moment: datetime, height: float, text: str, style: Style, *, aligned: str = "center"
) -> None:
    """A word at a moment, its height a part of the panel's."""
    axes.text(_day(moment), height, text, transform=axes.get_xaxis_transform(), ha=aligned, color=style.soft)


def _date(upper: Any, lower: Any, drawing: Drawing, shape: Shape) -> None:
    first, last = drawing.points[0][0], drawing.points[-1][0]
    if drawing.columns:
        first = min(first, drawing.columns[0].starts_at)
        last = max(last, drawing.columns[-1].starts_at + drawing.step)
    marks = ticks(first.astimezone(drawing.zone), last.astimezone(drawing.zone), shape.dates)
    label = tick_labels(marks)
    lower.set_xlim(_day(first), _day(last))
    lower.set_xticks([_day(moment) for moment in marks], label)
    upper.tick_params(labelbottom=False)


def _day(moment: datetime) -> float:
    from matplotlib.dates import date2num

    return float(date2num(moment))


def short_number(value: float) -> str:
    """1234567 as 1.2M: at most three digits and a letter."""
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            scaled = value / limit
            digits = 0 if abs(scaled) >= 99.95 or scaled == int(scaled) else 1
            return f"{scaled:.{digits}f}{letter}"
    return f"{value:.0f}"
