"""socap engagements …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from socap_cli.campaigns import register
from socap_cli.campaigns.categories import category_of, is_category
from socap_cli.cli import tables
from socap_cli.cli.options import Limit, Slug, one_of
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import UsageError
from socap_cli.files.writing import STDOUT, writing
from socap_cli.model import Engagement, action_types
from socap_cli.report.export import FORMATS, row_of
from socap_cli.store import Db, campaigns, engagement_view
from socap_cli.store.engagement_view import ORDERS, Order, Selection

app = typer.Typer(help="Who engaged.", no_args_is_help=True)

Category = Annotated[
    str, typer.Option(metavar="C", help="An engager's category (founders, vcs, …) or a tweet's (client, …).")
]
ActionTypeOption = Annotated[str, typer.Option("--action-type", metavar="retweet|reply|quote")]
MinImportance = Annotated[float, typer.Option(help="At least this important.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    slug: Slug,
    limit: Limit = 50,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    sort: Annotated[str, typer.Option(metavar="importance_score|timestamp")] = "importance_score",
    category: Category = "",
    action_type: ActionTypeOption = "",
    min_importance: MinImportance = -1.0,
) -> None:
    """List a campaign's engagements, the most important first."""
    run: Run = ctx.obj
    order: Order = one_of(sort, ORDERS, "order")  # type: ignore[assignment]
    with bootstrap(run).database() as db:
        wanted = _selection(db, slug, category, action_type, min_importance)
        found = list(engagement_view.listed(db, wanted, order=order, limit=limit, offset=offset))
    run.done(
        {"engagements": [row_of(one) for one in found], "offset": offset, "limit": limit},
        text=lambda: _show(run, found),
    )


def _show(run: Run, found: Sequence[Engagement]) -> None:
    if not found:
        run.info("no such engagement")
        return
    columns = ("importance", "who", "name", "action", "tweet", "followers", "first seen", "taken back")
    tables.show(
        columns,
        (
            [
                one.importance.score,
                f"@{one.profile.username}",
                one.profile.name,
                one.action_type,
                one.tweet_id,
                one.profile.followers,
                one.first_seen_at,
                one.removed_at,
            ]
            for one in found
        ),
        numbers=("importance", "followers"),
    )


@app.command("export")
def export(
    ctx: typer.Context,
    slug: Slug,
    form: Annotated[str, typer.Option("--format", metavar="csv|jsonl|xlsx")] = "csv",
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
    category: Category = "",
    action_type: ActionTypeOption = "",
    min_importance: MinImportance = -1.0,
) -> None:
    """Write all engagements of a campaign. Cells that a spreadsheet would run are made harmless."""
    run: Run = ctx.obj
    write = FORMATS[one_of(form, FORMATS, "format")]
    to_stdout = out in ("", STDOUT)
    if to_stdout and (run.json or form == "xlsx"):
        raise UsageError(f"{'--json' if run.json else form} needs a file", hint="give --out FILE")
    with bootstrap(run).database() as db:
        found = engagement_view.listed(db, _selection(db, slug, category, action_type, min_importance))
        with writing(out or STDOUT) as stream:
            count = write(found, stream)
    if not to_stdout:
        run.done({"file": out, "rows": count}, text=f"{count} rows in {out}")


def _selection(db: Db, slug: str, category: str, action_type: str, min_importance: float) -> Selection:
    """What the options select of a campaign. Raises UsageError, and SocapError for an unknown campaign."""
    register.find(db, slug)
    tweets = campaigns.tweets_of(db, slug)
    whose = category_of(category) if is_category(category) else None
    wanted = Selection(
        [tweet.tweet_id for tweet in tweets if whose in (None, tweet.category)],
        category=category.lower() if category and whose is None else None,
        min_importance=min_importance if min_importance >= 0 else None,
    )
    return (
        replace(wanted, action_type=one_of(action_type, action_types(), "action type"))
        if action_type
        else wanted
    )
