"""Curves by matplotlib: two panels over one time axis, growth per interval above, growth in all below."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

from socap_cli.model.kinds import LISTS
from socap_cli.report.analytics import Interval, Point, thin, tick_labels, ticks

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


SVG = "http://www.w3.org/2000/svg"


SOFT, GRID = "#010101", "#020202"


FIRST_SERIES = 3


MOST_SERIES = 9
"""Tokens that matplotlib takes for colours, and that become the page's own afterwards."""


DROPPED = frozenset({"metadata", "style", "title", "use"})


KEPT_STYLE = frozenset(
    {"fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity", "text-anchor"}
)


DEFAULTS = {("fill-opacity", "1"), ("opacity", "1"), ("stroke-dasharray", "none"), ("text-anchor", "start")}


USUAL_SIZE = 11.0
"""Pixels of the letters that say nothing of their size; the page's style knows it."""


BOX = re.compile(r"M ([\d.-]+) ([\d.-]+) L ([\d.-]+) \2 L \3 ([\d.-]+) L \1 \4(?: L \1 \2)? z ?")


NUMBER = re.compile(r"-?\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of a ring of circumference 100."""

    name: str
    place: int
    """Among the parts, those of nothing counted."""
    value: int
    percent: float
    begins: float


LIGHT_GROUND, DARK_GROUND = "#ffffff", "#171c25"


BLACK, WHITE = "#000000", "#ffffff"


Rgb = tuple[int, int, int]


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

    style = Style(list_lines(series(len(LISTS))), SOFT, GRID)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{salt}-{shape.name}"}):
        figure = _draw(drawing, shape, style)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline(out.getvalue(), prefix=f"{salt}-{shape.name}")


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


def series(count: int) -> Sequence[str]:
    """The tokens of so many series."""
    return [f"#{n:02x}{n:02x}{n:02x}" for n in range(FIRST_SERIES, FIRST_SERIES + min(count, MOST_SERIES))]


def _variable(token: str) -> str | None:
    """The page's variable that a token stands for."""
    fixed = {SOFT: "var(--ink-soft)", GRID: "var(--grid)"}
    if token in fixed:
        return fixed[token]
    tokens = series(MOST_SERIES)
    return f"var(--c{tokens.index(token) + 1})" if token in tokens else None


def inline(svg: str, *, prefix: str) -> str:
    """The picture for a page: nothing that is not seen, ids that begin with a prefix, hidden from screen readers.

    The figures behind it stand in a table beside it.
    """
    ET.register_namespace("", SVG)
    root = ET.fromstring(svg[svg.index("<svg") :])  # noqa: S314 (our own picture)
    _strip(root)
    _name(root, prefix)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    text = ET.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text).strip()


def _strip(node: ET.Element) -> None:
    for child in list(node):
        _strip(child)
        local = child.tag.rpartition("}")[2]
        empty = local in ("g", "defs") and len(child) == 0
        unseen = (
            local == "path"
            and "fill: none" in child.get("style", "")
            and "stroke" not in child.get("style", "")
        )
        if local in DROPPED or empty or unseen or _is_mark(child, node):
            node.remove(child)
            continue
        _restyle(child)
        for name in ("d", "x", "y", "points", "transform"):
            if name in child.attrib:
                child.set(name, _rounded(child.get(name, "")))
        if "d" in child.attrib:
            boxed = BOX.sub(r"M\1 \2H\3V\4H\1z", child.attrib["d"])
            child.set("d", boxed.replace(" L ", " ").replace("M ", "M"))
        child.text = child.text if local in ("text", "tspan") else None
        child.tail = None
        if local == "g":
            child.attrib.pop("id", None)
    _unwrap(node)
    _join(node)


def _join(node: ET.Element) -> None:
    """Make one path of neighbours that look the same: a chart's columns are hundreds of them."""
    before: ET.Element | None = None
    for child in list(node):
        is_path = child.tag.rpartition("}")[2] == "path"
        if is_path and before is not None and _look(child) == _look(before):
            before.set("d", f"{before.get('d')} {child.get('d')}")
            node.remove(child)
        else:
            before = child if is_path else None


def _look(path: ET.Element) -> dict[str, str]:
    return {name: value for name, value in path.attrib.items() if name != "d"}


def _is_mark(child: ET.Element, parent: ET.Element) -> bool:
    """A tick's little line, which only `use` would have shown."""
    in_defs = parent.tag.rpartition("}")[2] == "defs"
    return in_defs and child.tag.rpartition("}")[2] == "path"


def _unwrap(node: ET.Element) -> None:
    """Put the only child of a bare group in the group's place."""
    for place, child in enumerate(list(node)):
        if child.tag.rpartition("}")[2] == "g" and not child.attrib and len(child) == 1:
            node[place] = child[0]


def _rounded(text: str) -> str:
    flat = NUMBER.sub(lambda found: f"{float(found.group()):.1f}".rstrip("0").rstrip("."), text)
    return " ".join(flat.replace("-0 ", "0 ").split())


def _restyle(node: ET.Element) -> None:
    """Style attributes would need `unsafe-inline`; what they say is said in attributes."""
    if re.match(r"rotate\(-?0(\.0*)? ", node.get("transform", "")):
        del node.attrib["transform"]
    for part in node.attrib.pop("style", "").split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name in ("font", "font-size"):
            size = re.search(r"([\d.]+)px", value)
            if size and float(size.group(1)) != USUAL_SIZE:
                node.set("font-size", _rounded(size.group(1)))
        elif name in KEPT_STYLE and (name, value) not in DEFAULTS:
            node.set(name, _variable(value) or _rounded(value))


def _name(root: ET.Element, prefix: str) -> None:
    """Give what is referred to a name of its own, and take the other ids away."""
    text = ET.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    names = {old: f"{prefix}-{number}" for number, old in enumerate(sorted(used))}
    for node in root.iter():
        if "id" in node.attrib:
            if node.get("id") in names:
                node.set("id", names[node.attrib["id"]])
            else:
                del node.attrib["id"]
        if "clip-path" in node.attrib:
            found = re.search(r"#([^)]+)", node.attrib["clip-path"])
            if found:
                node.set("clip-path", f"url(#{names[found.group(1)]})")


def polyline(values: Sequence[int], width: float, height: float) -> str:
    """The points of a curve from its lowest value at the bottom to its highest at the top; flat in the middle."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = width / (len(values) - 1)
    flat = height / 2 if high == low else None
    heights = (flat if flat is not None else height - (value - low) / span * height for value in values)
    return " ".join(f"{n * step:.0f},{y:.1f}".removesuffix(".0") for n, y in enumerate(heights))


def ring(parts: Mapping[str, int]) -> tuple[Arc, ...]:
    """Exclusive parts of a whole as arcs, in their order; parts of nothing are left out."""
    whole = sum(parts.values())
    arcs, begins = [], 0.0
    for place, (name, value) in enumerate(parts.items()):
        if value > 0:
            percent = 100 * value / whole
            arcs.append(Arc(name, place, value, percent, begins))
            begins += percent
    return tuple(arcs)


def hundredths(parts: Mapping[str, int]) -> dict[str, int]:
    """Exclusive parts of a whole in whole percents that add up to 100: the largest remainders are rounded up."""
    whole = sum(parts.values())
    found = {name: 100 * value // whole if whole else 0 for name, value in parts.items()}
    left = 100 - sum(found.values()) if whole else 0
    for name in sorted(parts, key=lambda name: -(100 * parts[name] % whole if whole else 0))[:left]:
        found[name] += 1
    return found


def shades(table: Sequence[Sequence[int]], levels: int = 5) -> tuple[tuple[int, ...], ...]:
    """Each value as a level: 0 for nothing, then 1 to `levels` in equal steps up to the highest."""
    most = max((value for row in table for value in row), default=0)
    return tuple(tuple(-(-value * levels // most) if most else 0 for value in row) for row in table)


def rgb(colour: str) -> Rgb:
    """`#rrggbb` as three numbers."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Relative luminance, from 0 (black) to 1 (white)."""
    parts = [value / 255 for value in rgb(colour)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, other: str, part: float) -> str:
    """A colour with so much (0 to 1) of another in it."""
    pairs = zip(rgb(colour), rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def readable(colour: str, ground: str, ratio: float) -> str:
    """The colour, moved towards black or white until it has that contrast with its ground."""
    target = BLACK if luminance(ground) > 0.18 else WHITE
    return next(
        (
            changed
            for step in range(21)
            if contrast(changed := mixed(colour, target, step / 20), ground) >= ratio
        ),
        target,
    )
