"""socap metrics …"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from socap_cli.campaigns import adding
from socap_cli.campaigns.source import category_of, is_category
from socap_cli.cli import tables
from socap_cli.cli.options import Slug, choice, moment, one_of, write_out
from socap_cli.cli.run import Run, bootstrap
from socap_cli.errors import UsageError
from socap_cli.files import write_file
from socap_cli.model.campaign import CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.kinds import LISTS, counter_names, shown_counters
from socap_cli.model.list_state import gaps_of
from socap_cli.report import analytics
from socap_cli.report.analytics import CoverageRow, Interval, Series, coverage_rows, list_total
from socap_cli.report.charts import BarChart, png_chart
from socap_cli.report.words import short_number
from socap_cli.store import Db, campaigns, snapshots, worker_state
from socap_cli.store.snapshots import Step
from socap_cli.text import iso

app = typer.Typer(help="Counters over time.", no_args_is_help=True)


ALL = "all"
BLOCKS = "▁▂▃▄▅▆▇█"
SHOWN = shown_counters()
Granularity = Annotated[str, choice("hour|day", help="Length of an interval.")]
Since = Annotated[str, typer.Option("--from", metavar="ISO", help="Only from this time on.")]
Until = Annotated[str, typer.Option("--to", metavar="ISO", help="Only before this time.")]
Form = Annotated[str, choice("table|csv", "--format", help="csv for other programs.")]
Out = Annotated[str, typer.Option(metavar="FILE", help="Write the CSV here.")]
COLUMNS = ("list", "counted", "collected", "share", "not read", "minutes")
NUMBERS = COLUMNS[1:]


@app.callback()
def _group() -> None:
    """Counters over time."""


@app.command("series")
def series(
    ctx: typer.Context,
    slug: Slug,
    granularity: Granularity = "day",
    since: Since = "",
    until: Until = "",
    category: Annotated[str, typer.Option(metavar="C", help="Only tweets of this category.")] = "",
    form: Form = "table",
    out: Out = "",
    png: Annotated[str, typer.Option(metavar="FILE", help="Draw it there as well.")] = "",
) -> None:
    """A campaign's counters, cumulative and per interval: of all tweets, and of each category.

    Example: socap metrics series launch --granularity hour --from 2026-03-02
    """
    run: Run = ctx.obj
    step = analytics.STEPS[one_of(granularity, analytics.STEPS, "granularity")]
    as_csv = one_of(form, ("table", "csv"), "format") == "csv"
    begin, end = _span(since, until)
    with bootstrap(run).database() as db:
        adding.find(db, slug)
        found = _series(db, _tweets(db, slug, category))
    rows = {
        name: analytics.within(analytics.intervals(one, step), step, since=begin, until=end)
        for name, one in found.items()
    }
    if png:
        _draw(rows[ALL], step, png)
    if as_csv:
        write_out(run, _csv(rows), out, sum(map(len, rows.values())))
        return
    result = {
        "granularity": granularity,
        "intervals": [asdict(row) for row in rows[ALL]],
        "categories": {name: [asdict(row) for row in part] for name, part in rows.items() if name != ALL},
    }
    run.done(result, text=lambda: show_series(run, rows))


@app.command("coverage")
def coverage(
    ctx: typer.Context,
    slug: Slug,
    granularity: Granularity = "day",
    since: Since = "",
    until: Until = "",
    form: Form = "table",
    out: Out = "",
) -> None:
    """How complete a campaign was at the end of each interval: counted, collected, and who was not read.

    Example: socap metrics coverage launch --format csv --out coverage.csv
    """
    run: Run = ctx.obj
    unit: Step = "hour" if one_of(granularity, analytics.STEPS, "granularity") == "hour" else "day"
    step = analytics.STEPS[unit]
    as_csv = one_of(form, ("table", "csv"), "format") == "csv"
    begin, end = _span(since, until)
    with bootstrap(run).database() as db:
        campaign = adding.find(db, slug)
        tweet_ids = campaigns.tweet_ids_of(db, slug)
        shots = analytics.readings(snapshots.series(db, tweet_ids))
        stored = tuple(snapshots.changes(db, tweet_ids, unit))
        gaps = gaps_of(worker_state.load(db, tweet_ids).values())
    counted = analytics.intervals(analytics.sum_series(shots), step)
    last = run.now() if campaign.status is CampaignStatus.ACTIVE or not counted else counted[-1].starts_at
    found = coverage_rows(counted, stored, gaps, step=step, now=last)
    rows = analytics.within(found, step, since=begin, until=end)
    if as_csv:
        write_out(run, coverage_csv(rows), out, len(rows))
        return
    result = {"granularity": unit, "intervals": [asdict(row) for row in rows]}
    run.done(result, text=lambda: show(run, rows))


def _span(since: str, until: str) -> tuple[datetime | None, datetime | None]:
    """What --from and --to say. Raises UsageError."""
    begin = moment(since, "--from") if since else None
    end = moment(until, "--to") if until else None
    if begin and end and begin >= end:
        raise UsageError("--to is not after --from", hint="there is nothing between them")
    return begin, end


def _tweets(db: Db, slug: str, category: str) -> list[CampaignTweet]:
    wanted = category_of(category) if is_category(category) else None
    if category and wanted is None:
        raise UsageError(f"no category {category!r}", hint="there are client, influencer, investor")
    return [tweet for tweet in campaigns.tweets_of(db, slug) if wanted in (None, tweet.category)]


def _series(db: Db, tweets: Sequence[CampaignTweet]) -> dict[str, Series]:
    """The series of all tweets, and of each category that there is."""
    shots = analytics.readings(snapshots.series(db, [tweet.tweet_id for tweet in tweets]))
    bucket = analytics.bucket_for(shots)
    found = {ALL: analytics.sum_series(shots, bucket=bucket)}
    for category in TweetCategory:
        mine = {tweet.tweet_id for tweet in tweets if tweet.category is category}
        if mine:
            found[category.short] = analytics.sum_series(shots.of(mine), bucket=bucket)
    return found


def show_series(run: Run, rows: Mapping[str, Sequence[Interval]]) -> None:
    if not rows[ALL]:
        run.info("no reading in that time")
        return
    sums = [[name, *_last(part), _spark(part)] for name, part in rows.items() if part]
    tables.show(
        tables.Columns(("tweets", *SHOWN, "growth"), numbers=SHOWN, drop=("growth", *reversed(SHOWN))),
        sums,
        title="at the end, and growth in that time",
    )
    times = [
        [f"{row.starts_at:%m-%d %H:%M}", *(_cell(row.totals[name], row.growth[name]) for name in SHOWN)]
        for row in rows[ALL]
    ]
    tables.show(
        tables.Columns(("from (UTC)", *SHOWN), numbers=SHOWN, drop=SHOWN[::-1]),
        times,
        title="per interval: total and growth",
    )


def _last(rows: Sequence[Interval]) -> list[str]:
    return [_cell(rows[-1].totals[n], sum(row.growth[n] or 0 for row in rows)) for n in SHOWN]


def _cell(total: int | None, growth: int | None) -> str:
    if total is None:
        return tables.NOTHING
    sign = "+" if (growth or 0) >= 0 else ""
    return f"{short_number(total)} {sign}{short_number(growth or 0)}"


def _spark(rows: Sequence[Interval], width: int = 12) -> str:
    """Growth of engagements as blocks, the latest at the right."""
    values = [max(list_total(row.growth), 0) for row in rows][-width:]
    most = max(values, default=0) or 1
    return "".join(BLOCKS[min(value * len(BLOCKS) // most, len(BLOCKS) - 1)] for value in values)


def _csv(rows: Mapping[str, Sequence[Interval]]) -> str:
    """A line for each interval and category, every counter with its growth."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = counter_names()
    writer.writerow(
        ["starts_at", "tweets", *(column for name in names for column in (name, f"{name}_growth"))]
    )
    for category, part in rows.items():
        for row in part:
            values = (value for name in names for value in (row.totals[name], row.growth[name]))
            writer.writerow([iso(row.starts_at), category, *values])
    return out.getvalue()


def _draw(rows: Sequence[Interval], step: timedelta, path: str) -> None:
    """Raises UsageError when there is nothing to draw yet, SocapError when it cannot be written."""
    if not any(list_total(row.growth) for row in rows):
        raise UsageError("fewer than two readings in that time", hint="leave --png out")
    spans = [(row.starts_at, row.starts_at + step) for row in rows]
    counts = {str(kind): [row.growth[kind] or 0 for row in rows] for kind in LISTS}
    write_file(path, png_chart(BarChart(spans, counts, step, UTC)))


def coverage_csv(rows: Sequence[CoverageRow]) -> str:
    """A line for each interval and kind of list."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(field.name for field in fields(CoverageRow))
    for row in rows:
        values = {**asdict(row), "starts_at": iso(row.starts_at)}
        writer.writerow("" if value is None else value for value in values.values())
    return out.getvalue()


def show(run: Run, rows: Sequence[CoverageRow]) -> None:
    """A table; the last two columns say how many tweets were not read for how long."""
    if not rows:
        run.info("no reading in that time")
        return
    cells = [
        [
            f"{row.starts_at:%m-%d %H:%M}",
            row.kind,
            row.counter,
            f"{row.collected:,}",
            "–" if row.share is None else f"{row.share:.1%}",
            f"{row.gaps:,} tweets" if row.gaps else "–",
            f"{row.gap_minutes:,.0f}" if row.gaps else "–",
        ]
        for row in rows
    ]
    tables.show(
        tables.Columns(("from (UTC)", *COLUMNS), numbers=NUMBERS, drop=("minutes", "not read")),
        cells,
        title="at the end of each interval",
    )
