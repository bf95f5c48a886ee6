"""A report as one self-contained page: templates, filters, and a policy that only the page's own code passes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from socap_cli.model.campaign import CampaignStatus, TweetCategory
from socap_cli.model.kinds import LISTS, METRICS, list_of
from socap_cli.model.labels import OTHERS
from socap_cli.model.links import profile_url
from socap_cli.report import colours, ink, small, words
from socap_cli.report.analytics import DAY, hours_of_the_week, interactions, share
from socap_cli.report.charts import SHAPES, Drawing, short_number, svg_chart
from socap_cli.report.island import island, script_json
from socap_cli.report.series import FINE_STEPS, Interval, floor, intervals, step_for
from socap_cli.report.story import count, day_of, duration, step_name, story, window
from socap_cli.report.values import CampaignReport, Edition

LABELS = {
    "yc_alumni": "YC alumni", "c_level": "C-level", "vcs": "Investors & VCs", "ai_creators": "AI creators",
    OTHERS: "No label",
}  # fmt: skip
"""Labels whose words alone would not read well."""
CATEGORIES = {
    TweetCategory.MAIN.short: "Client", TweetCategory.INFLUENCER.short: "Influencers",
    TweetCategory.INVESTOR.short: "Investors",
}  # fmt: skip
MARKS = {
    TweetCategory.MAIN.short: "▼", TweetCategory.INFLUENCER.short: "▽", TweetCategory.INVESTOR.short: "◇",
}  # fmt: skip
PLACES = {name: (n + 1) / (len(MARKS) + 1) for n, name in enumerate(MARKS)}
"""Where in a column the mark of a category stands, so that no two stand on each other."""
CATEGORY_COLOURS = ("#6d4bb8", "#b8407a", "#4d6a86")
"""Others than those of actions, so that no two pictures seem to speak of the same."""
MOST_GAPS, MOST_POSTS, TABLE_ROWS = 50, 60, 72
HOURS_BY_DAY = timedelta(days=4)
"""A longer campaign is shown by day at first."""


@dataclass(frozen=True, slots=True)
class Brand:
    """Who reports, and how their pages look."""

    title: str = ""
    logo: str = ""
    """A `data:` address."""
    accent: str = "#2f5bd7"


@dataclass(frozen=True, slots=True)
class Intervals:
    """What the over-time charts show for one width of a column."""

    name: str
    charts: Markup
    rows: tuple[Interval, ...]
    marks: frozenset[str]
    """The marks of posts that are in the charts."""
    crowded: bool
    """Whether only the posts of the tweets that lead are in them."""


def campaign_page(report: CampaignReport, brand: Brand, zone: tzinfo) -> str:
    """The whole page of one campaign."""
    return _page(
        "campaign.html",
        brand,
        zone,
        report=report,
        operator=report.edition is Edition.OPERATOR,
        over_time=_over_time(report, zone),
        island=Markup(script_json(island(report.rows, report.tweets))),  # noqa: S704 (escaped for a script)
        is_active=report.campaign.status is CampaignStatus.ACTIVE,
    )


def index_page(
    summaries: Sequence[Mapping[str, Any]], brand: Brand, zone: tzinfo, *, edition: Edition
) -> str:
    """The page of all campaigns, from their summaries."""
    rows = [_read_again(row) for row in summaries]
    groups = {status.value: [r for r in rows if r["status"] == status.value] for status in CampaignStatus}
    return _page("index.html", brand, zone, groups=groups, rows=rows, operator=edition is Edition.OPERATOR)


def _read_again(row: Mapping[str, Any]) -> dict[str, Any]:
    """A summary with its times as times."""
    as_of = datetime.fromisoformat(row["as_of"]) if row["as_of"] else None
    return {**row, "as_of": as_of, "age": timedelta(seconds=row["age"])}


def _page(name: str, brand: Brand, zone: tzinfo, **facts: Any) -> str:
    style = template("style.css").render(palette=palette(brand.accent))
    script = template("page.js").render()
    return str(
        template(name).render(
            brand=brand,
            zone=zone,
            style=Markup(style),  # noqa: S704 (our own)
            script=Markup(script),  # noqa: S704 (our own)
            style_hash=_hash(style),
            script_hash=_hash(script),
            **facts,
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def palette(accent: str) -> dict[str, dict[str, str]]:
    """The colours of light and dark pages; those of actions come from the kinds of lists."""
    named = {
        **{f"c{n}": kind.colour for n, kind in enumerate(LISTS.values(), start=1)},
        **{f"k{n}": colour for n, colour in enumerate(CATEGORY_COLOURS, start=1)},
    }
    light = {name: colours.readable(one, colours.LIGHT_GROUND, 3.2) for name, one in named.items()}
    dark = {name: _for_dark(one, 5.0) for name, one in named.items()}
    return {
        "light": {**light, "accent": colours.readable(accent, "#eef1f6", 5.0)},
        "dark": {**dark, "accent": _for_dark(accent, 6.5)},
    }


def _for_dark(colour: str, ratio: float) -> str:
    return colours.readable(colours.mixed(colour, colours.WHITE, 0.35), colours.DARK_GROUND, ratio)


def drawing(report: CampaignReport, step: timedelta, zone: tzinfo) -> Drawing:
    """The growth chart of a report, with columns of that width."""
    growth = report.series.growth
    first, last = (growth[0][0], growth[-1][0]) if growth else (None, None)
    posts = dict.fromkeys(
        (
            floor(row.tweet.posted_at, step) + step * PLACES[row.tweet.category.short],
            MARKS[row.tweet.category.short],
        )
        for row in report.tweets
        if row.tweet.posted_at and first and last and first <= row.tweet.posted_at <= last
    )
    return Drawing(
        points=growth,
        columns=intervals(report.series, step) if growth else (),
        step=step,
        zone=zone,
        gaps=[(g.begins_at, g.ends_at) for g in report.gaps if g.kind == METRICS and g.ends_at][:MOST_GAPS],
        posts=list(posts)[:MOST_POSTS],
        alerts=report.alert_times,
        ends_at=report.campaign.ends_at,
    )


def _over_time(report: CampaignReport, zone: tzinfo) -> list[Intervals]:
    """By hour, and by day too once there are several; what is shown first comes first. None before two readings."""
    growth = report.series.growth
    if len(growth) < 2:
        return []
    span = growth[-1][0] - growth[0][0]
    steps = [step_for(span)]
    if span > 2 * DAY:
        steps = [DAY, FINE_STEPS[-1]] if span > HOURS_BY_DAY else [FINE_STEPS[-1], DAY]
    return [_drawn(report, step, zone) for step in steps]


def _drawn(report: CampaignReport, step: timedelta, zone: tzinfo) -> Intervals:
    name = step_name(step)
    one = drawing(report, step, zone)
    parts = [
        f'<div class="plot {shape.name}">{svg_chart(one, shape, salt=f"growth-{name[0]}{step.seconds}")}</div>'
        for shape in SHAPES
    ]
    return Intervals(
        name,
        Markup("".join(parts)),  # noqa: S704 (our own picture; matplotlib escapes its texts)
        tuple(one.columns[-TABLE_ROWS:][::-1]),
        frozenset(m for _, m in one.posts),
        len(one.posts) == MOST_POSTS,
    )


def label(name: str) -> str:
    """A label of accounts as people read it."""
    plain = name.replace("_", " ")
    return LABELS.get(name, plain[:1].upper() + plain[1:])


def signed(value: float) -> str:
    """+1,234, −5 with a real minus, or 0."""
    return f"+{value:,}" if value > 0 else f"{value:,}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """A part of one as a percentage; a dash when it is not known."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("socap_cli.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        short=short_number,
        number=lambda value: "–" if value is None else f"{value:,}",
        signed=signed,
        percent=percent,
        score=lambda value: "?" if value is None else f"{value:g}",
        moment=lambda value, zone: f"{value.astimezone(zone):%d %b %Y, %H:%M} {_zone_name(value, zone)}",
        day=lambda value, zone: f"{value.astimezone(zone):%d %b %H:%M}",
        date=lambda value, zone: f"{value.astimezone(zone):%d %b}",
        iso=lambda value: value.isoformat().replace("+00:00", "Z"),
        label=label,
        category=lambda name: CATEGORIES.get(name, name),
        action=lambda name: list_of(name).label,
        duration=duration,
        lasting=lambda seconds: duration(timedelta(seconds=seconds)),
        seconds=timedelta.total_seconds,
        handle=profile_url,
    )
    environment.globals.update(
        count=count, story=story, day_of=day_of, window=window, share=share, polyline=small.polyline,
        ring=small.ring, shades=small.shades, hundredths=small.hundredths, hours_of_the_week=hours_of_the_week,
        interactions=interactions, lists=LISTS, words=words, marks=MARKS, table_rows=TABLE_ROWS,
        series_inks=[f"var(--c{n})" for n in range(1, ink.MOST_SERIES + 1)],
        category_inks=[f"var(--k{n})" for n in range(1, len(CATEGORY_COLOURS) + 1)],
    )  # fmt: skip
    return environment


def _zone_name(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).tzname() or "UTC"


def template(name: str) -> Any:
    """A template of the report, with its filters."""
    return _environment().get_template(name)
