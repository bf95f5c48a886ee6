"""socap usage."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from socap_cli.cli.run import Run
from socap_cli.errors import UsageError


def usage(
    ctx: typer.Context,
    by: Annotated[str, typer.Option(metavar="campaign|endpoint|day", help="Break the sums down.")] = "",
) -> None:
    """Requests, items and money."""
    from socap_cli.cli.shop import Shop
    from socap_cli.store import usage as table

    run: Run = ctx.obj
    if by not in ("", "campaign", "endpoint", "day"):
        raise UsageError(f"cannot break down by {by!r}", hint="by campaign, endpoint or day")
    shop = Shop(run)
    with shop.database() as db:
        total = next(iter(table.summed(db)), {"requests": 0, "items": 0, "cost": 0.0, "failed": 0})
        rows = table.summed(db, by) if by else []
        today = sum(table.spent(db, f"{run.now():%Y-%m-%d}").values())
    price = shop.settings.provider.usd_per_credit
    result: dict[str, Any] = {**total, "usd": round(total["cost"] * price, 4)}
    limit = shop.settings.budget.day_hard
    result["budget_left"] = round(max(0.0, limit - today), 2) if limit else None
    if by:
        result["rows"] = [{**row, "usd": round(row["cost"] * price, 4)} for row in rows]

    def show() -> None:
        from socap_cli.cli import tables

        columns = ("requests", "items", "cost", "usd", "failed")
        body = [[row.get(by), *(row[c] for c in columns)] for row in result.get("rows", [])]
        tables.show((by or "", *columns), [*body, ["all", *(result[c] for c in columns)]], numbers=columns)
        if limit:
            tables.pairs([("left of today's budget", f"{result['budget_left']:,.0f} credits")])

    run.done(result, text=show)
