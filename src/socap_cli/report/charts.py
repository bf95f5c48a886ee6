"""Charts as inline SVG whose colours are the page's own, so that they follow light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from socap_cli.report.analytics import Point, thin, ticks

INKS = {
    "#010101": "var(--ink-soft)",
    "#020202": "var(--line)",
    "#030303": "var(--c1)",
    "#040404": "var(--c2)",
    "#050505": "var(--c3)",
}
AXIS, GRID, *SERIES = INKS
MAIL_INKS = ("#2f5bd7", "#0f9d7a", "#d9822b")
MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class Shape:
    """A chart's size in inches at 72 points each, and how many dates stand under it."""

    name: str
    width: float
    height: float
    dates: int


WIDE = Shape("wide", 13.0, 3.6, 10)
HALF = Shape("wide", 6.4, 3.0, 5)
NARROW = Shape("narrow", 4.4, 2.6, 4)
MAIL = Shape("mail", 7.6, 2.6, 6)


def line_chart(
    points: Sequence[Point],
    names: Sequence[str],
    *,
    shape: Shape,
    salt: str,
    gaps: Sequence[tuple[datetime, datetime]] = (),
) -> str:
    """Counters over time as SVG, times without a reading shaded; empty when there are fewer than two points."""
    if len(points) < 2:
        return ""
    from matplotlib import rc_context

    style: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": f"{salt}-{shape.name}",
        "axes.edgecolor": GRID,
        "xtick.color": AXIS,
        "ytick.color": AXIS,
        "text.color": AXIS,
        "font.size": 10,
    }
    with rc_context(style):
        figure = _draw(thin(points, MOST_POINTS), names, shape)
        for begin, end in gaps:
            figure.axes[0].axvspan(begin, end, facecolor=GRID, edgecolor="none", alpha=0.5, zorder=0)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue())


def png_chart(points: Sequence[Point], names: Sequence[str]) -> bytes:
    """The same chart for mail: PNG on a solid ground, in fixed colours; empty when there is nothing to draw."""
    if len(points) < 2:
        return b""
    figure = _draw(thin(points, MOST_POINTS), names, MAIL, inks=MAIL_INKS)
    figure.axes[0].legend([name.capitalize() for name in names], frameon=False, loc="upper left", fontsize=9)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=144, facecolor="#fefefe", metadata={"Software": None})
    return out.getvalue()


def _draw(
    points: Sequence[Point], names: Sequence[str], shape: Shape, *, inks: Sequence[str] = SERIES
) -> Any:
    from matplotlib.dates import date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure = Figure(figsize=(shape.width, shape.height), layout="constrained")
    axes = figure.add_subplot()
    times = [float(date2num(moment)) for moment, _ in points]
    for ink, name in zip(inks, names, strict=False):
        axes.plot(
            times, [values[name] for _, values in points], color=ink, linewidth=1.8, solid_joinstyle="round"
        )
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", color=GRID if inks is SERIES else "#e3e6eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    marks = ticks(points[0][0], points[-1][0], shape.dates)
    axes.set_xticks([float(date2num(moment)) for moment in marks], [tick_label(moment) for moment in marks])
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    return figure


def tick_label(moment: datetime) -> str:
    """A date at midnight, a time of day otherwise."""
    return f"{moment.day} {moment:%b}" if (moment.hour, moment.minute) == (0, 0) else f"{moment:%H:%M}"


def short_number(value: float) -> str:
    """1234567 as 1.2M: at most three digits and a letter."""
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            scaled = value / limit
            digits = 0 if abs(scaled) >= 100 or scaled == int(scaled) else 1
            return f"{scaled:.{digits}f}{letter}"
    return f"{value:.0f}"


def _inline(svg: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    for token, ink in INKS.items():
        svg = svg.replace(token, ink)
    return svg.strip()
