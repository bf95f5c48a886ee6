"""socap usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, get_args

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_provider
from socap_cli.bootstrap.looking import look_policy
from socap_cli.campaigns.pricing import Pricing
from socap_cli.campaigns.projection import Projection, project
from socap_cli.cli import tables
from socap_cli.cli.options import one_of
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.run import Usage
from socap_cli.store import Db, campaigns
from socap_cli.store import usage as table
from socap_cli.store.usage import By

COLUMNS = {"requests": "requests", "items": "items", "cost": "credits", "usd": "USD", "failed": "failed"}
"""Sums, with the words for them."""


def usage(
    ctx: typer.Context,
    by: Annotated[str, typer.Option(metavar="campaign|endpoint|day", help="Break the sums down.")] = "",
) -> None:
    """Requests, items and money, so far and as they will be at the day's and the campaigns' end.

    Example: socap usage --by campaign
    """
    run: Run = ctx.obj
    wanted: By | None = one_of(by, get_args(By), "break-down") if by else None  # type: ignore[assignment]
    built = bootstrap(run)
    with built.database() as db:
        total = next(iter(table.summed(db)), Usage(None))
        rows = table.summed(db, wanted) if wanted else []
        spent = table.spent(db, f"{run.now():%Y-%m-%d}")
        projection = _projected(db, built, spent, now=run.now())
    today = sum(spent.values())
    price, limit = built.settings.provider.usd_per_credit, built.settings.budget.day_hard
    result = _priced(total, price)
    result["budget_left"] = round(max(0.0, limit - today), 2) if limit else None
    if by:
        result["rows"] = [{by: row.of, **_priced(row, price)} for row in rows]
    result["projection"] = asdict(projection)

    def show() -> None:
        show_usage(result, by)
        show_projection(projection)

    run.done(result, text=show, warnings=list(projection.warnings))


def _projected(db: Db, built: Bootstrap, spent: Mapping[str, float], *, now: datetime) -> Projection:
    """What the active campaigns will have cost."""
    with open_provider(built, needs_key=False) as provider:
        pricing = Pricing(db, look_policy(built, db), provider)
        open_ones = [
            one
            for one in campaigns.listed(db, CampaignStatus.ACTIVE)
            if one.ends_at is None or one.ends_at > now
        ]
        estimates = {one.slug: pricing.estimated(one, now=now) for one in open_ones}
    never = [one.slug for one in open_ones if one.ends_at is None and not one.stop_when_cold]
    return project(estimates, spent, built.settings.budget, now=now, endless=never)


def _priced(sums: Usage, usd_per_credit: float) -> dict[str, Any]:
    row = asdict(sums)
    del row["of"]
    return {**row, "usd": round(sums.cost * usd_per_credit, 4)}


def show_usage(result: Mapping[str, Any], by: str) -> None:
    """A row for each part, one for all, and what is left to spend."""
    body = [[row[by], *_cells(row)] for row in result.get("rows", [])]
    labels = tuple(COLUMNS.values())
    tables.show(
        tables.Columns((by or "of", *labels), numbers=labels, drop=("failed", "items")),
        [*body, ["all", *_cells(result)]],
    )
    if result["budget_left"] is not None:
        tables.pairs([("left of today's budget", f"{result['budget_left']:,.0f} credits")])


def _cells(row: Mapping[str, Any]) -> list[Any]:
    """A row's figures; money with its cents."""
    return [f"{row[name]:,.2f}" if name == "usd" else row[name] for name in COLUMNS]


def show_projection(found: Projection) -> None:
    """What today and each campaign will have cost."""
    if found.campaigns:
        columns = ("campaign", "spent", "today", "at its end", "ends")
        tables.show(
            tables.Columns(columns, numbers=columns[1:4], drop=("ends", "today")),
            (
                [row.campaign, round(row.spent), round(row.today), round(row.whole), row.ends_at]
                for row in found.campaigns
            ),
        )
    said = f"{found.spent_today:,.0f} credits so far, about {found.today:,.0f} at midnight UTC"
    tables.pairs([("today", said)])
