"""socap campaign estimate."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from socap_cli.bootstrap.collecting import open_provider
from socap_cli.bootstrap.looking import look_policy
from socap_cli.campaigns import register
from socap_cli.campaigns.estimate import CYCLES_A_DAY, Estimate, Range
from socap_cli.campaigns.pricing import Pricing
from socap_cli.cli import tables
from socap_cli.cli.options import Slug
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.cli.wording import counted

app = typer.Typer()


@app.command("estimate")
def estimate(ctx: typer.Context, slug: Slug) -> None:
    """What a day and the whole of a campaign cost in requests and money, by either cadence.

    Example: socap campaign estimate launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db, open_provider(built, needs_key=False) as provider:
        campaign = register.find(db, slug)
        found = Pricing(db, look_policy(built, db), provider).estimated(campaign, now=run.now())
    usd = built.settings.provider.usd_per_credit
    warning = (
        f"{slug} has no end: seven days are reckoned; socap campaign edit {slug} --end, or --stop-when-cold"
    )
    run.done(
        estimate_row(found, usd),
        text=lambda: show_estimate(found, usd),
        warnings=[warning] if found.end_is_assumed and not campaign.stop_when_cold else [],
    )


def estimate_row(found: Estimate, usd_per_credit: float) -> dict[str, Any]:
    """An estimate, for a program; credits are rounded."""
    chosen = found.chosen
    return {
        "tweets": found.tweets,
        "cadence": found.cadence.value,
        "ends_at": found.ends_at,
        "end_is_assumed": found.end_is_assumed,
        "spent": round(found.spent, 2),
        "cycles_a_day": CYCLES_A_DAY,
        "requests_a_day": round(chosen.requests_a_day, 1),
        "credits_a_day": round(chosen.day.likely),
        "usd_a_day": round(chosen.day.likely * usd_per_credit, 4),
        "credits": round(chosen.whole.likely),
        "usd": round(chosen.whole.likely * usd_per_credit, 4),
        "by_cadence": {
            cadence.value: {
                "day": _rounded(one.day),
                "whole": _rounded(one.whole),
                "requests_a_day": round(one.requests_a_day, 1),
            }
            for cadence, one in found.by_cadence.items()
        },
        "basis": found.basis,
    }


def _rounded(found: Range) -> dict[str, int]:
    return {name: round(value) for name, value in asdict(found).items()}


def show_estimate(found: Estimate, usd_per_credit: float) -> None:
    """A row for each cadence, then what is to be known of it."""
    columns = ("cadence", "requests a day", "credits a day", "USD a day", "credits in all", "USD in all")
    tables.show(
        tables.Columns(
            columns, numbers=columns[1:], drop=("requests a day", "credits in all", "credits a day")
        ),
        (
            [
                f"{cadence.value} *" if cadence is found.cadence else cadence.value,
                f"{one.requests_a_day:,.0f}",
                _spread(one.day, 1.0, "{:,.0f}"),
                _spread(one.day, usd_per_credit, "{:,.2f}"),
                _spread(one.whole, 1.0, "{:,.0f}"),
                _spread(one.whole, usd_per_credit, "{:,.2f}"),
            ]
            for cadence, one in found.by_cadence.items()
        ),
    )
    assumed = " (assumed: it has no end)" if found.end_is_assumed else ""
    tables.pairs(
        [
            ("* its own", f"{counted(found.tweets, 'tweet')} until {found.ends_at:%Y-%m-%d %H:%M}Z{assumed}"),
            ("spent so far", f"{found.spent:,.0f} credits"),
            ("known", found.basis),
        ]
    )


def _spread(found: Range, factor: float, form: str) -> str:
    low, likely, high = (form.format(value * factor) for value in (found.low, found.likely, found.high))
    return f"{likely} ({low} to {high})"
