"""A report as one self-contained page: templates, filters, and a policy that only the page's own code passes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta, tzinfo
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from socap_cli.errors import ConfigError
from socap_cli.model.campaign import CampaignStatus, public_campaign
from socap_cli.model.kinds import LISTS, METRICS, list_of
from socap_cli.report import charts, words
from socap_cli.report.analytics import DAY, list_total, share
from socap_cli.report.charts import BarChart, age_plot, bar_plot
from socap_cli.report.values import Brand, CampaignReport, Edition, EngagementRow, TweetRow
from socap_cli.settings import ReportSettings
from socap_cli.text import iso

BACKFILL, FIRST_SEEN, VERIFIED = 1, 2, 4
FIELDS = (
    "name", "username", "user_id", "action", "importance", "followers", "at", "flags", "labels", "tweet", "post_id",
    "text", "followed_by", "important_followers",
)  # fmt: skip
SHAPES = (("wide", 1060, 270, 10), ("narrow", 330, 250, 4))
"""Name, width and height in pixels, dates along the axis: letters must not shrink on a phone."""
PEOPLE_SHOWN, TWEETS_SHOWN, ROWS_SHOWN = 10, 10, 10
AGED_SHOWN = 8
TEXT_BYTES = 400_000
"""Texts of the rows to explore together; they share it, so that a page of 5,000 rows stays under 1.2 MB."""

CLIENT_FIELDS = ("slug", "name", "status", "starts_at", "ends_at", "completed_at", "client_name", "threshold")
"""What a client may read of a campaign: no list, no address, no channel of the agency."""
ELSEWHERE = frozenset({"campaign", "series", "rows"})

LARGEST_LOGO = 200_000
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp",
    b"<svg": "image/svg+xml", b"<?xml": "image/svg+xml",
}  # fmt: skip


class Numbered(dict[str, int]):
    """Texts by the number that stands for them, in the order in which they came."""

    def __missing__(self, text: str) -> int:
        self[text] = len(self)
        return self[text]


def campaign_page(report: CampaignReport, brand: Brand, zone: tzinfo) -> str:
    """The whole page of one campaign."""
    chart = bar_chart(report, zone)
    plots, totals = (
        [bar_plot(chart, *shape, is_total=is_total) for shape in SHAPES] if chart else []
        for is_total in (False, True)
    )
    data = Markup(script_json(page_data(report.rows, report.tweets)))  # noqa: S704 (escaped for a script)
    return _page(
        "campaign.html",
        brand,
        zone,
        report=report,
        operator=report.edition is Edition.OPERATOR,
        is_active=report.campaign.status is CampaignStatus.ACTIVE,
        is_final=report.campaign.status is CampaignStatus.COMPLETED,
        chart=chart,
        plots=plots,
        totals=totals,
        shown_tweets=leading(report.tweets, TWEETS_SHOWN),
        data=data,
    )


def summary(report: CampaignReport) -> dict[str, Any]:
    """What the index shows of a campaign. Plain values: it is read again from the JSON beside an unchanged page."""
    figures, campaign, growth = report.figures, report.campaign, report.series.growth
    is_final = campaign.status is CampaignStatus.COMPLETED
    pace = None if is_final else figures["engagements"].pace
    points = dict([*growth[:: -(-len(growth) // 40) or 1], *growth[-1:]])
    rank, reason = attention(report)
    return {
        "slug": campaign.slug,
        "name": campaign.name,
        "client_name": campaign.client_name,
        "status": words.state(campaign.status, has_started=report.has_started),
        "rank": rank,
        "reason": reason,
        "new": f"{pace.new:,} in {words.duration(pace.span)}" if pace else "–",
        "compared": words.compared(pace) if pace else "",
        "trend": words.trend(pace),
        "starts_at": iso(campaign.starts_at),
        "has_started": report.has_started,
        "as_of": iso(report.as_of) if report.as_of else None,
        "people": figures["people"].value,
        "important": figures["important"].value,
        "engagements": report.collected,
        "coverage": report.covered,
        "aged": [
            [(at - campaign.starts_at).total_seconds(), list_total(values)] for at, values in points.items()
        ],
    }


def attention(report: CampaignReport) -> tuple[int, str]:
    """How urgently a campaign needs a look, 0 first, and why."""
    if report.campaign.status is not CampaignStatus.ACTIVE:
        return (4, "") if report.campaign.status is CampaignStatus.PAUSED else (5, "")
    if report.as_of is None:
        return (0, "not read yet") if report.has_started else (3, "")
    if report.is_stale:
        return 0, "not read recently"
    if report.covered is not None and report.covered < 0.95:
        return 1, "incomplete"
    pace = report.figures["engagements"].pace
    is_slowing = pace is not None and pace.change is not None and pace.change <= -0.5
    return (2, "slowing") if is_slowing else (3, "")


def index_page(
    summaries: Sequence[Mapping[str, Any]], brand: Brand, zone: tzinfo, *, edition: Edition
) -> str:
    """The page of several campaigns, those that need attention first, from their summaries."""
    rows = sorted(summaries, key=lambda row: (row["rank"], row["name"].casefold(), row["slug"]))
    aged = [(row["name"], row["aged"]) for row in rows if len(row["aged"]) > 1 and row["aged"][-1][1] > 0]
    ages = [age_plot(aged[:AGED_SHOWN], *shape) for shape in SHAPES] if len(aged) > 1 else []
    return _page("index.html", brand, zone, rows=rows, ages=ages, operator=edition is Edition.OPERATOR)


def leading(tweets: Sequence[TweetRow], most: int) -> set[str]:
    """The tweets that stand first, and the first of each author group."""
    firsts = {row.tweet.category: row.tweet.tweet_id for row in reversed(tweets)}
    return {row.tweet.tweet_id for row in tweets[:most]} | set(firsts.values())


def bar_chart(report: CampaignReport, zone: tzinfo) -> BarChart | None:
    """The chart of new engagements; None before two readings, or without any engagement."""
    if not report.edges or not report.collected:
        return None
    first, baseline = report.first_important, report.figures["engagements"].baseline or 0
    note = None
    if first.after is not None and first.username:
        note = (report.campaign.starts_at + first.after, f"first important: @{first.username}")
    posts = [row.posted_at for row in report.tweets if row.posted_at]
    return BarChart(
        spans=list(pairwise(report.edges)),
        counts={kind.name: report.new_by_action[kind.action_type] or [0] * (len(report.edges) - 1)
                for kind in LISTS.values()},
        unit=report.unit,
        zone=zone,
        baseline=baseline,
        gaps=[(gap.begins_at, gap.ends_at or report.edges[-1]) for gap in report.gaps
              if gap.kind == METRICS and gap.every is None],
        posts=posts[: charts.MOST_POSTS],
        note=note,
    )  # fmt: skip


def _page(name: str, brand: Brand, zone: tzinfo, **facts: Any) -> str:
    style = template("style.css").render(palette=palette(brand.accent))
    script = template("page.js").render()
    style_hash, script_hash = (
        "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return str(
        template(name).render(
            brand=brand,
            zone=zone,
            style=Markup(style),  # noqa: S704 (our own)
            script=Markup(script),  # noqa: S704 (our own)
            style_hash=style_hash,
            script_hash=script_hash,
            **facts,
        )
    )


def palette(accent: str) -> dict[str, dict[str, str]]:
    """The colours of light and dark pages; those of actions come from the kinds of lists."""

    def for_dark(colour: str, ratio: float) -> str:
        return charts.readable(charts.mixed(colour, charts.WHITE, 0.35), charts.DARK_GROUND, ratio)

    named = {f"c{n}": kind.colour for n, kind in enumerate(LISTS.values(), start=1)}
    light = {name: charts.readable(one, charts.LIGHT_GROUND, 3.2) for name, one in named.items()}
    dark = {name: for_dark(one, 5.0) for name, one in named.items()}
    return {
        "light": {**light, "accent": charts.readable(accent, "#eef1f6", 5.0)},
        "dark": {**dark, "accent": for_dark(accent, 6.5)},
    }


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
        short=words.short_number,
        number=lambda value: "–" if value is None else f"{value:,}",
        percent=words.percent,
        score=lambda value: "?" if value is None else f"{value:g}",
        moment=lambda value, zone: words.moment(
            datetime.fromisoformat(value) if isinstance(value, str) else value, zone
        ),
        day=words.day,
        iso=lambda value: value.isoformat().replace("+00:00", "Z"),
        label=words.label,
        group=lambda name: words.GROUPS.get(name, name),
        action=lambda name: list_of(name).label,
        duration=words.duration,
        lasting=lambda seconds: words.duration(timedelta(seconds=seconds)),
        zone_name=lambda zone, at: at.astimezone(zone).tzname() or "UTC",
    )
    environment.globals.update(
        words=words, share=share, spark=charts.spark, lists=LISTS, a_day=DAY, pairwise=pairwise,
        inks=[kind.colour for kind in LISTS.values()],
        people_shown=PEOPLE_SHOWN, tweets_shown=TWEETS_SHOWN, rows_shown=ROWS_SHOWN,
    )  # fmt: skip
    return environment


def template(name: str) -> Any:
    """A template of the report, with its filters."""
    return _environment().get_template(name)


def page_data(rows: Sequence[EngagementRow], tweets: Sequence[TweetRow]) -> dict[str, Any]:
    """`fields` names what stands where in a row; actions, labels, tweets and followers are numbers of their lists."""
    actions, labels, followers = Numbered(), Numbered(), Numbered()
    places = {row.tweet.tweet_id: n for n, row in enumerate(tweets)}
    longest = TEXT_BYTES // max(sum(bool(row.text) for row in rows), 1)
    packed = [
        [
            row.name,
            row.username,
            row.user_id,
            actions[row.action_type],
            row.importance_score,
            row.followers,
            int(row.at.timestamp()),
            BACKFILL * row.backfill + FIRST_SEEN * row.at_is_ours + VERIFIED * row.verified,
            [labels[name] for name in row.categories],
            places[row.tweet_id],
            row.engagement_id.rpartition(":")[2] if list_of(row.action_type).is_post else "",
            _shortened(row.text, longest),
            [followers[who] for who, _ in row.reasons],
            row.important_followers,
        ]
        for row in rows
    ]
    return {
        "fields": FIELDS,
        "actions": list(actions),
        "labels": list(labels),
        "followers": list(followers),
        "tweets": [[row.tweet.tweet_id, row.author, row.tweet.category.short] for row in tweets],
        "rows": packed,
    }


def _shortened(text: str, most: int) -> str:
    """A text in so many bytes."""
    whole = text.encode("utf-8", "replace")
    return text if len(whole) <= most else whole[: most - 3].decode("utf-8", "ignore").rstrip() + "…"


def script_json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def document(report: CampaignReport, zone: tzinfo) -> dict[str, Any]:
    """Every figure of the page by name; what only the operator sees is left out for a client."""
    is_client = report.edition is Edition.CLIENT
    hidden = ELSEWHERE | {"operations"} if is_client else ELSEWHERE
    shown = {entry.name: getattr(report, entry.name) for entry in fields(report) if entry.name not in hidden}
    facts = public_campaign(report.campaign)
    series = {
        name: [{"at": at, **values} for at, values in points]
        for name, points in (("totals", report.series.totals), ("growth", report.series.growth))
    }
    return {
        "campaign": {name: facts[name] for name in CLIENT_FIELDS} if is_client else facts,
        "headline": words.headline(report, zone),
        "details": words.details(report),
        "day": words.day_of(report),
        "collected": report.collected,
        "counted": report.counted,
        "covered": report.covered,
        **shown,
        "series": series,
        "browse": page_data(report.rows, report.tweets),
    }


def brand_of(settings: ReportSettings) -> Brand:
    """The brand that the configuration names. Raises ConfigError for a logo that cannot be one."""
    return Brand(settings.title, _logo(settings.logo) if settings.logo else "", settings.accent)


def _logo(path: Path) -> str:
    """The picture as a `data:` address; as an image it runs no script, whatever it holds."""
    place = "[report] logo"
    try:
        if not path.is_file():
            raise ConfigError(f"{place}: {path} is not a file")
        if (size := path.stat().st_size) > LARGEST_LOGO:
            raise ConfigError(f"{place}: {path} has {size:,} bytes", hint=f"at most {LARGEST_LOGO:,}")
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{place}: {path}: {error.strerror}") from None
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = next((name for mark, name in SIGNATURES.items() if start.startswith(mark)), None)
    if kind is None:
        raise ConfigError(f"{place}: {path} is not a picture", hint="use PNG, JPEG, SVG or WebP")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
