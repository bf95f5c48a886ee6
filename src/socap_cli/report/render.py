"""Frozen values become a folder of self-contained pages, with the same numbers as JSON beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from socap_cli.errors import SocapError
from socap_cli.files.writing import replace_if_changed
from socap_cli.model import METRICS, TweetCategory
from socap_cli.model.campaign import public_campaign
from socap_cli.model.json_text import json_text
from socap_cli.report.analytics import share
from socap_cli.report.charts import HALF, NARROW, WIDE, line_chart, short_number
from socap_cli.report.gather import CampaignReport

ENGAGEMENT_COUNTERS = ("retweets", "replies", "quotes")
REACH_CHARTS = (("views", "Views"), ("likes", "Likes"))
CATEGORY_LABELS = {
    "yc_alumni": "YC alumni", "c_level": "C-level", "founders": "Founders", "vcs": "Investors & VCs",
    "ai_creators": "AI creators", "media": "Media", "developers": "Developers", "others": "Others",
}  # fmt: skip
TWEET_CATEGORY_LABELS = {
    TweetCategory.MAIN.short: "Client", TweetCategory.INFLUENCER.short: "Influencers",
    TweetCategory.INVESTOR.short: "Investors",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendered:
    """The paths of all pages, and how many of them were on disk already, byte for byte."""

    pages: tuple[Path, ...]
    unchanged: int


def render(
    reports: Sequence[CampaignReport], out: Path, *, usd_per_credit: float, index: bool = True
) -> Rendered:
    """Write a page per campaign and an index. Files appear whole or not at all."""
    pages: list[Path] = []
    unchanged = 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        for report in reports:
            slug = report.campaign.slug
            context = {
                "report": report,
                "charts": _charts(report),
                "usd": report.usage["cost"] * usd_per_credit,
            }
            pages.append(out / f"{slug}.html")
            unchanged += _write(pages[-1], template("campaign.html").render(**context))
            _write(out / f"{slug}.json", _json(report, usd_per_credit))
        if index:
            pages.append(out / "index.html")
            unchanged += _write(pages[-1], template("index.html").render(reports=reports))
    except OSError as error:
        raise SocapError(
            f"cannot write to {out}: {error.strerror}", hint="name another folder with --out"
        ) from error
    return Rendered(tuple(pages), unchanged)


def _charts(report: CampaignReport) -> dict[str, Markup]:
    """Inline SVG by name; matplotlib escapes its texts, and none of them is a stranger's."""
    points = report.series.totals
    gaps = [(g.begins_at, g.ends_at) for g in report.gaps if g.kind == METRICS and g.ends_at][:50]
    drawn = {
        "engagement": [
            line_chart(points, ENGAGEMENT_COUNTERS, shape=s, salt="engagement", gaps=gaps)
            for s in (WIDE, NARROW)
        ],
        **{
            name: [line_chart(points, [name], shape=s, salt=name, gaps=gaps) for s in (HALF, NARROW)]
            for name, _ in REACH_CHARTS
        },
    }
    return {
        name: Markup("".join(_figure(svg, n) for n, svg in enumerate(parts) if svg))  # noqa: S704
        for name, parts in drawn.items()
    }


def _figure(svg: str, number: int) -> str:
    return f'<div class="plot plot-{("wide", "narrow")[number]}">{svg}</div>'


def _write(path: Path, text: str) -> bool:
    """Replace a file in one step; True when it held the same bytes already."""
    return replace_if_changed(path, text.encode("utf-8"), mode=0o644)


def _json(report: CampaignReport, usd_per_credit: float) -> str:
    public = asdict(report)
    public["campaign"] = public_campaign(report.campaign)
    public["usage"]["usd"] = round(report.usage["cost"] * usd_per_credit, 6)
    public["series"] = {
        name: [{"at": moment, **values} for moment, values in points]
        for name, points in (("totals", report.series.totals), ("growth", report.series.growth))
    }
    return json_text(public)


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
        signed=lambda value: (
            f"+{short_number(value)}" if value > 0 else short_number(value).replace("-", "−")
        ),
        percent=lambda part, whole: f"{share(part, whole):.0%}",
        moment=lambda value: f"{value.astimezone(UTC):%d %b %Y, %H:%M} UTC" if value else "never",
        stamp=lambda value: f"{value.astimezone(UTC):%Y-%m-%d %H:%M}",
        engager_label=lambda name: CATEGORY_LABELS.get(name, name.replace("_", " ")),
        day=lambda value: f"{value.astimezone(UTC):%d %b %H:%M}",
        tweet_label=lambda name: TWEET_CATEGORY_LABELS.get(name, name),
    )
    environment.globals.update(reach_charts=REACH_CHARTS)
    return environment


def template(name: str) -> Any:
    """A template of the report, with its filters."""
    return _environment().get_template(name)
