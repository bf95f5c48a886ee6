"""socap usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, get_args

import typer

from socap_cli.cli import tables
from socap_cli.cli.options import one_of
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.model import Usage
from socap_cli.store import usage as table
from socap_cli.store.usage import By

COLUMNS = {"requests": "requests", "items": "items", "cost": "credits", "usd": "USD", "failed": "failed"}
"""Sums, with the words for them."""


def usage(
    ctx: typer.Context,
    by: Annotated[str, typer.Option(metavar="campaign|endpoint|day", help="Break the sums down.")] = "",
) -> None:
    """Requests, items and money.

    Example: socap usage --by campaign
    """
    run: Run = ctx.obj
    wanted: By | None = one_of(by, get_args(By), "break-down") if by else None  # type: ignore[assignment]
    built = bootstrap(run)
    with built.database() as db:
        total = next(iter(table.summed(db)), Usage(None))
        rows = table.summed(db, wanted) if wanted else []
        today = sum(table.spent(db, f"{run.now():%Y-%m-%d}").values())
    price, limit = built.settings.provider.usd_per_credit, built.settings.budget.day_hard
    result = _priced(total, price)
    result["budget_left"] = round(max(0.0, limit - today), 2) if limit else None
    if by:
        result["rows"] = [{by: row.of, **_priced(row, price)} for row in rows]
    run.done(result, text=lambda: show_usage(result, by))


def _priced(sums: Usage, usd_per_credit: float) -> dict[str, Any]:
    row = asdict(sums)
    del row["of"]
    return {**row, "usd": round(sums.cost * usd_per_credit, 4)}


def show_usage(result: Mapping[str, Any], by: str) -> None:
    """A row for each part, one for all, and what is left to spend."""
    body = [[row[by], *(row[name] for name in COLUMNS)] for row in result.get("rows", [])]
    labels = tuple(COLUMNS.values())
    tables.show(
        (by or "of", *labels),
        [*body, ["all", *(result[name] for name in COLUMNS)]],
        numbers=labels,
        drop=("failed", "items"),
    )
    if result["budget_left"] is not None:
        tables.pairs([("left of today's budget", f"{result['budget_left']:,.0f} credits")])
