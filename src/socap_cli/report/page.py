"""A report as one self-contained page: templates, filters, and a policy that only the page's own code passes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from socap_cli.errors import ConfigError
from socap_cli.model.campaign import CampaignStatus, TweetCategory, public_campaign
from socap_cli.model.engagement import OTHERS
from socap_cli.model.kinds import LISTS, METRICS, list_of
from socap_cli.model.links import profile_url
from socap_cli.report import charts, words
from socap_cli.report.analytics import (
    DAY,
    FINE_STEPS,
    Interval,
    floor,
    hours_of_the_week,
    interactions,
    intervals,
    share,
    step_for,
)
from socap_cli.report.charts import SHAPES, Drawing, short_number, svg_chart
from socap_cli.report.values import CampaignReport, Edition, EngagementRow, TweetRow
from socap_cli.settings import Report

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


BACKFILL, FIRST_SEEN, VERIFIED = 1, 2, 4


FIELDS = (
    "name", "username", "user_id", "action", "importance", "followers", "at", "flags", "labels", "tweet", "post_id",
    "text", "followed_by",
)  # fmt: skip


VIEW_FIELDS = ("curve", "by_action", "lately", "people", "only_here", "velocity", "half_life", "bookmarks")


VIEWS_IN_PAGE = 15
"""Tweets whose views are part of the page; those of the others are made of the island."""


class Words(dict[str, int]):
    """Words by the number that stands for them, in the order in which they came."""

    def __missing__(self, word: str) -> int:
        self[word] = len(self)
        return self[word]


CLIENT_FIELDS = ("slug", "name", "status", "starts_at", "ends_at", "completed_at", "client_name", "threshold")
"""What a client may read of a campaign: no list, no address, no channel of the agency."""


ELSEWHERE = frozenset({"campaign", "series", "rows"})


OPERATORS = frozenset({"operations", "alert_times"})


LARGEST_LOGO = 200_000


SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp",
    b"<svg": "image/svg+xml", b"<?xml": "image/svg+xml",
}  # fmt: skip


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
    light = {name: charts.readable(one, charts.LIGHT_GROUND, 3.2) for name, one in named.items()}
    dark = {name: _for_dark(one, 5.0) for name, one in named.items()}
    return {
        "light": {**light, "accent": charts.readable(accent, "#eef1f6", 5.0)},
        "dark": {**dark, "accent": _for_dark(accent, 6.5)},
    }


def _for_dark(colour: str, ratio: float) -> str:
    return charts.readable(charts.mixed(colour, charts.WHITE, 0.35), charts.DARK_GROUND, ratio)


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
        count=count, story=story, day_of=day_of, window=window, share=share, polyline=charts.polyline,
        ring=charts.ring, shades=charts.shades, hundredths=charts.hundredths, hours_of_the_week=hours_of_the_week,
        interactions=interactions, lists=LISTS, words=words, marks=MARKS, table_rows=TABLE_ROWS,
        series_inks=[f"var(--c{n})" for n in range(1, charts.MOST_SERIES + 1)],
        category_inks=[f"var(--k{n})" for n in range(1, len(CATEGORY_COLOURS) + 1)],
    )  # fmt: skip
    return environment


def _zone_name(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).tzname() or "UTC"


def template(name: str) -> Any:
    """A template of the report, with its filters."""
    return _environment().get_template(name)


def island(rows: Sequence[EngagementRow], tweets: Sequence[TweetRow]) -> dict[str, Any]:
    """`fields` names what stands where in a row; actions, labels, tweets and followers are numbers of their lists."""
    actions, labels, followers = Words(), Words(), Words()
    places = {row.tweet.tweet_id: n for n, row in enumerate(tweets)}
    packed = [_packed(row, actions, labels, followers, places[row.tweet_id]) for row in rows]
    return {
        "fields": FIELDS,
        "actions": list(actions),
        "labels": list(labels),
        "followers": list(followers),
        "tweets": [
            [row.tweet.tweet_id, row.tweet.author_username or "", row.tweet.category.short] for row in tweets
        ],
        "view_fields": VIEW_FIELDS,
        "views": {row.tweet.tweet_id: _view(row) for row in tweets[VIEWS_IN_PAGE:]},
        "rows": packed,
    }


def _view(row: TweetRow) -> list[Any]:
    """A tweet's curve and figures in the order of `VIEW_FIELDS`."""
    half = row.half_life
    return [
        row.curve,
        {list_of(name).label.lower(): count for name, count in row.by_action.items()},
        row.lately,
        row.audience.people,
        row.audience.only_here,
        None if row.velocity is None else round(row.velocity, 1),
        "" if half is None else ("at most " if half.at_most else "") + duration(half.value),
        row.counters.get("bookmarks"),
    ]


def _packed(row: EngagementRow, actions: Words, labels: Words, followers: Words, tweet: int) -> list[Any]:
    flags = BACKFILL * row.backfill + FIRST_SEEN * row.at_is_ours + VERIFIED * row.verified
    is_post = list_of(row.action_type).is_post
    return [
        row.name,
        row.username,
        row.user_id,
        actions[row.action_type],
        row.importance_score,
        row.followers,
        int(row.at.timestamp()),
        flags,
        [labels[name] for name in row.categories],
        tweet,
        row.engagement_id.rpartition(":")[2] if is_post else "",
        row.text,
        [followers[who] for who, _ in row.reasons],
    ]


def script_json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def document(report: CampaignReport) -> dict[str, Any]:
    """Every figure of the page by name; what only the operator sees is left out for a client."""
    is_client = report.edition is Edition.CLIENT
    hidden = ELSEWHERE | OPERATORS if is_client else ELSEWHERE
    found = {entry.name: getattr(report, entry.name) for entry in fields(report) if entry.name not in hidden}
    facts = public_campaign(report.campaign)
    series = {
        name: [{"at": at, **values} for at, values in points]
        for name, points in (("totals", report.series.totals), ("growth", report.series.growth))
    }
    return {
        "campaign": {name: facts[name] for name in CLIENT_FIELDS} if is_client else facts,
        "story": story(report),
        "day": day_of(report),
        "collected": report.collected,
        "counted": report.counted,
        **found,
        "series": series,
        "browse": island(report.rows, report.tweets),
    }


def count(number: int, one: str, many: str = "") -> str:
    """`1 tweet`, `2 tweets`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(span: timedelta) -> str:
    """A time span in its two largest units: `2 d 3 h`, `5 min`."""
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def step_name(step: timedelta) -> str:
    """What a column of a chart spans: `day`, `hour`, or `5 min`."""
    return {DAY: "day", timedelta(hours=1): "hour"}.get(step, duration(step))


def window(report: CampaignReport) -> str:
    """What a change spans: `in 24 h`, or less on the first day."""
    return f"in {_lately(report)}"


def _lately(report: CampaignReport) -> str:
    return "24 h" if report.window == DAY else duration(report.window)


def story(report: CampaignReport) -> str:
    """What is true of a campaign, whatever its state, and nothing else."""
    if not report.tweets:
        return "There are no tweets in this campaign yet."
    if report.as_of is None:
        return "Nothing has been read yet: the figures begin with the first reading."
    sentences = [_who(report)]
    if report.readings < 2:
        sentences.append("This is the first reading; changes and curves begin with the second.")
    if report.campaign.status is CampaignStatus.PAUSED:
        sentences.append("Monitoring is paused.")
    return " ".join(sentences)


def _who(report: CampaignReport) -> str:
    important, people = report.figures["important"], report.figures["people"]
    if not report.collected:
        return "Nobody has engaged yet, as far as was read."
    known, what = (
        (important, ("important person", "important people"))
        if important.value
        else (people, ("person", "people"))
    )
    said = f"{count(known.value or 0, *what)} engaged"
    if known.change:
        lately = known.change.absolute
        new = f"{lately:,} of them for the first time" if lately else "nobody new"
        said += f", {new} in the last {_lately(report)}"
    leader = report.tweets[0]
    if leader.engagements and len(report.tweets) > 1:
        whose = f"@{leader.tweet.author_username}’s tweet" if leader.tweet.author_username else "one tweet"
        said += f"; {whose} leads with {count(leader.engagements, 'engagement')}"
    return f"{said}."


def day_of(report: CampaignReport) -> str:
    """`day 2 of 7`, as of the data; empty when it has not begun."""
    campaign = report.campaign
    if report.as_of is None or report.as_of < campaign.starts_at:
        return ""
    day = (report.as_of - campaign.starts_at) // timedelta(days=1) + 1
    if campaign.ends_at is None:
        return f"day {day}"
    days = max(-(-(campaign.ends_at - campaign.starts_at) // timedelta(days=1)), 1)
    return f"day {min(day, days)} of {days}" if report.as_of <= campaign.ends_at else f"{count(days, 'day')}"


def brand_of(settings: Report) -> Brand:
    """The brand that the configuration names. Raises ConfigError for a logo that cannot be one."""
    return Brand(settings.title, _logo(settings.logo) if settings.logo else "", settings.accent)


def _logo(path: Path) -> str:
    """The picture as a `data:` address; as an image it runs no script, whatever it holds."""
    place = "[report] logo"
    try:
        size = path.stat().st_size if path.is_file() else -1
        content = path.read_bytes() if 0 <= size <= LARGEST_LOGO else b""
    except OSError as error:
        raise ConfigError(f"{place}: {path}: {error.strerror}") from None
    if size < 0:
        raise ConfigError(f"{place}: {path} is no file")
    if size > LARGEST_LOGO:
        raise ConfigError(f"{place}: {path} has {size:,} bytes", hint=f"there may be {LARGEST_LOGO:,}")
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = next((name for mark, name in SIGNATURES.items() if start.startswith(mark)), None)
    if kind is None:
        raise ConfigError(
            f"{place}: {path} is no picture that a page can show", hint="use PNG, JPEG, SVG or WebP"
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
