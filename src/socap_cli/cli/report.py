"""socap report …"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.looking import look_policy
from socap_cli.bootstrap.reporting import report_brand, report_wanted
from socap_cli.campaigns import register
from socap_cli.cli import report_mail, tables
from socap_cli.cli.options import DryRun, OptionalSlug, one_of
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.cli.wording import counted
from socap_cli.errors import UsageError
from socap_cli.model.run import RunRecord
from socap_cli.report.analytics import AtAge, list_total
from socap_cli.report.charts import short_number
from socap_cli.report.compare import Compared
from socap_cli.report.compare import compare as stage_compare
from socap_cli.report.publish import Published, Site, publish
from socap_cli.report.story import duration
from socap_cli.report.values import Edition
from socap_cli.store import campaigns, runs

app = typer.Typer(help="Static pages, the mail edition, campaigns compared.", no_args_is_help=True)
app.add_typer(report_mail.app)

EditionOption = Annotated[
    str, typer.Option(metavar="client|operator", help="For whom (default: [report] edition).")
]


@app.command("render")
def render(
    ctx: typer.Context,
    slug: OptionalSlug = "",
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of the pages (default: socap-report).")
    ] = "",
    edition: EditionOption = "",
    dry_run: DryRun = False,
) -> None:
    """Write a page per campaign and an index, with the same numbers as JSON beside them.

    Example: socap report render --out pages --edition client
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    wanted = report_wanted(built, _edition(built, edition))
    folder = Path(out) if out else built.settings.report.out
    started, since = run.now(), time.monotonic()
    with built.database() as db:
        chosen = [register.find(db, slug)] if slug else campaigns.listed(db)
        wanted = replace(wanted, policy=look_policy(built, db))
        unread = [] if slug else campaigns.unreadable(db)
        site = Site(folder, wanted, report_brand(built), dry_run)
        done = publish(db, chosen, site, now=started, index=not slug)
        result = {"pages": [str(path) for path in done.pages], "unchanged": done.unchanged}
        seconds = time.monotonic() - since
        if not dry_run:
            runs.record(db, RunRecord(run.run_id, "report render", started, seconds, result))
    warnings = [*done.left_out, *(f"{name}: its document is no campaign" for name in unread)]

    def show() -> None:
        if dry_run:
            print_line(_would_line(done))
        elif not run.quiet:
            for path in done.pages:
                print_line(str(path))

    run.done({**result, "dry_run": dry_run}, text=show, warnings=warnings, exit_code=4 if warnings else 0)


def _would_line(done: Published) -> str:
    """What rendering would change."""
    if not done.changed:
        return f"would write nothing: {counted(done.unchanged, 'page')} would stay"
    rest = f"; {done.unchanged:,} would stay" if done.unchanged else ""
    return f"would write {', '.join(map(str, done.changed))}{rest}"


def _edition(built: Bootstrap, text: str) -> Edition:
    return Edition(one_of(text or built.settings.report.edition, list(Edition), "edition"))


@app.command("compare")
def compare(
    ctx: typer.Context,
    slugs: Annotated[list[str], typer.Argument(metavar="SLUG SLUG…", help="Two campaigns or more.")],
) -> None:
    """Campaigns at the same age: what each had grown by so long after its start.

    Example: socap report compare launch spring
    """
    run: Run = ctx.obj
    names = list(dict.fromkeys(slugs))
    if len(names) < 2:
        raise UsageError("one campaign cannot be compared", hint="socap report compare launch relaunch")
    with bootstrap(run).database() as db:
        found = stage_compare(db, [register.find(db, slug) for slug in names])
    rows = [_compared(one) for one in found]
    run.done({"campaigns": rows}, text=lambda: show_compared(run, found))


def _compared(one: Compared) -> dict[str, Any]:
    at = [
        {"age_hours": row.age / timedelta(hours=1), "growth": dict(row.growth) if row.growth else None}
        for row in one.at
    ]
    return {"slug": one.campaign.slug, "starts_at": one.campaign.starts_at, "at": at}


def show_compared(run: Run, found: Sequence[Compared]) -> None:
    if not found[0].at:
        run.info("none of them was read a minute after its start")
        return
    slugs = [one.campaign.slug for one in found]
    for label, value in MEASURES.items():
        rows = [
            [duration(row.age), *(_grown(one.at[n], value) for one in found)]
            for n, row in enumerate(found[0].at)
        ]
        tables.show(tables.Columns(("age", *slugs), numbers=slugs, drop=slugs[:0:-1]), rows, title=label)


MEASURES: dict[str, Callable[[AtAge], int]] = {
    "engagements since the start": lambda row: list_total(row.growth or {}),
    "likes": lambda row: (row.growth or {}).get("likes", 0),
    "views": lambda row: (row.growth or {}).get("views", 0),
}


def _grown(row: AtAge, value: Callable[[AtAge], int]) -> str:
    return "–" if row.growth is None else f"{'+' if value(row) > 0 else ''}{short_number(value(row))}"
