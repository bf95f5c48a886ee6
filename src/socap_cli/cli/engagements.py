"""socap engagements …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

import typer

from socap_cli.campaigns import adding
from socap_cli.campaigns.source import category_of, is_category
from socap_cli.cli import tables
from socap_cli.cli.options import (
    DryRun,
    Limit,
    MinImportance,
    Slug,
    Yes,
    account,
    capped,
    category_named,
    choice,
    one_of,
)
from socap_cli.cli.run import Run, bootstrap
from socap_cli.errors import UsageError
from socap_cli.files import STDOUT, writing
from socap_cli.model.campaign import CampaignTweet
from socap_cli.model.engagement import Engagement, LabelRules
from socap_cli.model.kinds import action_types
from socap_cli.report.export import COLUMNS, FORMATS, PEOPLE_COLUMNS, people_rows, row_of
from socap_cli.retention import erase as erase_person
from socap_cli.store import Db, campaigns, engagements
from socap_cli.store.engagements import ORDERS, Order, Selection
from socap_cli.text import counted

app = typer.Typer(help="Who engaged.", no_args_is_help=True)


Category = Annotated[
    str, typer.Option(metavar="C", help="An account's category (founders, vcs, …) or a tweet's (client, …).")
]
ActionTypeOption = Annotated[str, choice("retweet|reply|quote", "--action-type", help="Only this action.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    slug: Slug,
    limit: Limit = 50,
    offset: Annotated[
        int, typer.Option(min=0, callback=capped, metavar="NUMBER", help="Rows left out at the top.")
    ] = 0,
    sort: Annotated[
        str, choice("importance_score|timestamp", help="What stands first.")
    ] = "importance_score",
    category: Category = "",
    action_type: ActionTypeOption = "",
    min_importance: MinImportance = None,
) -> None:
    """List a campaign's engagements, the most important first.

    Example: socap engagements list launch --sort timestamp --limit 10
    """
    run: Run = ctx.obj
    order: Order = one_of(sort, ORDERS, "order")  # type: ignore[assignment]
    built = bootstrap(run)
    with built.database() as db:
        wanted = _selection(db, slug, built.rules(), category, action_type, min_importance)
        found = list(engagements.listed(db, wanted, order=order, limit=limit, offset=offset))
        total = engagements.count(db, wanted)
        tweets = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, slug)}

    def row(one: Engagement) -> dict[str, Any]:
        tweet = tweets[one.tweet_id]
        return {**row_of(one), "tweet_author": tweet.author_username, "tweet_category": tweet.category.short}

    rows = [row(one) for one in found]
    run.done(
        {"engagements": rows, "total": total, "offset": offset, "limit": limit},
        text=lambda: show_engagements(run, found, tweets, now=run.now()),
    )


def show_engagements(
    run: Run, found: Sequence[Engagement], tweets: Mapping[str, CampaignTweet], *, now: datetime
) -> None:
    """A row for each engagement: who did what to whose tweet, how important they are, and when."""
    if not found:
        run.info("no matching engagements")
        return
    authors = {key: tweet.author_username for key, tweet in tweets.items()}
    tables.show(
        tables.Columns(
            (
                *("who", "action", "tweet by", "score", "when"),
                *("name", "text", "followers", "categories", "tweet"),
            ),
            numbers=("score", "followers"),
            cut=("name", "text", "categories"),
            drop=("tweet", "categories", "followers", "text", "name", "tweet by", "when", "score"),
        ),
        (
            [
                f"@{one.profile.username}",
                f"{one.action_type}, removed" if one.removed_at else one.action_type,
                f"@{author}" if (author := authors.get(one.tweet_id)) else None,
                "?" if one.importance.score is None else one.importance.score,
                one.at,
                one.profile.name,
                one.text,
                one.profile.followers,
                ", ".join(one.categories),
                one.tweet_id,
            ]
            for one in found
        ),
        now=now,
    )


@app.command("export")
def export(
    ctx: typer.Context,
    slug: Slug,
    form: Annotated[str, choice("csv|jsonl|xlsx", "--format", help="Form of the file.")] = "csv",
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
    category: Category = "",
    action_type: ActionTypeOption = "",
    min_importance: MinImportance = None,
    people: Annotated[
        bool, typer.Option("--people", help="One row per person, without removed engagements.")
    ] = False,
) -> None:
    """Write all engagements of a campaign, or the people behind them. Formulas in cells are masked.

    Example: socap engagements export launch --format csv --out launch.csv
    """
    run: Run = ctx.obj
    write = FORMATS[one_of(form, FORMATS, "format")]
    to_stdout = out in ("", STDOUT)
    if to_stdout and (run.json or form == "xlsx"):
        raise UsageError(f"{'--json' if run.json else form} needs a file", hint="give --out FILE")
    built = bootstrap(run)
    with built.database() as db:
        wanted = _selection(db, slug, built.rules(), category, action_type, min_importance)
        found = engagements.listed(db, replace(wanted, present=people))
        rows, columns = (
            (people_rows(found), PEOPLE_COLUMNS) if people else (map(row_of, found), tuple(COLUMNS))
        )
        with writing(out or STDOUT) as stream:
            count = write(rows, columns, stream)
    if not to_stdout:
        run.done({"file": out, "rows": count}, text=f"{counted(count, 'row')} in {out}")


@app.command("erase")
def erase(
    ctx: typer.Context,
    person: Annotated[str, typer.Argument(metavar="@NAME", help="Who asked for it.")],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> None:
    """Erase a person: all that they did, in every campaign, with its alerts. They are not collected again.

    What the firm itself keeps of them is left and named, each with the command for it. Pages and mails that were made
    before, and backups, are files of yours: make pages anew with `socap report render`.

    Example: socap engagements erase @ada --dry-run
    """
    run: Run = ctx.obj
    username = account(person, "@NAME")
    if not yes and not dry_run:
        raise UsageError(
            f"this deletes what @{username} did, for good",
            hint="say --yes to do it, or --dry-run to see what",
        )
    built = bootstrap(run)
    with built.database() as db:
        done = erase_person(db, built.importance(), username, now=run.now(), dry_run=dry_run)
    run.done(
        {**asdict(done), "dry_run": dry_run},
        text=(
            f"{'would erase' if dry_run else 'erased'} @{username}: {counted(done.engagements, 'engagement')}, "
            f"{counted(done.alerts, 'alert')}, {counted(done.silences, 'silence')}"
        ),
        warnings=[f"@{username} still stands in {place}" for place in done.left],
    )


def _selection(
    db: Db, slug: str, rules: LabelRules, category: str, action_type: str, min_importance: float | None
) -> Selection:
    """What the options select of a campaign. Raises UsageError, and SocapError for an unknown campaign."""
    adding.find(db, slug)
    whose = category_of(category) if is_category(category) else None
    if category:
        category_named(category, rules)
    return Selection(
        [tweet.tweet_id for tweet in campaigns.tweets_of(db, slug) if whose in (None, tweet.category)],
        category=category.lower() if category and whose is None else None,
        min_importance=min_importance,
        action_type=one_of(action_type, action_types(), "action type") if action_type else None,
    )
