"""socap campaign add-tweets, edit-tweet and remove-tweet."""

from __future__ import annotations

from typing import Annotated

import typer

from socap_cli.campaigns import adding, register, removal
from socap_cli.cli import campaign_text as text
from socap_cli.cli.campaign_input import input_of, tweet_category, tweet_id_of, verifying
from socap_cli.cli.campaign_options import NoVerify, Source, TweetArgument, Tweets
from socap_cli.cli.options import DryRun, Slug
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap

app = typer.Typer()


@app.command("add-tweets")
def add_tweets(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Add tweets to a campaign.

    Example: socap campaign add-tweets launch --from more.csv
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    said = input_of(tweet, source, slug)
    now = run.now().replace(microsecond=0)
    verify = not no_verify and not dry_run
    with built.database() as db, verifying(run, built, db, wanted=verify) as verifier:
        result = adding.add_tweets(db, slug, said.lines, verifier=verifier, now=now, dry_run=dry_run)
    ignored = [f"settings of the file are not applied: socap campaign apply {source}"] if said.given else []
    text.tell_added(run, result, ignored, dry_run=dry_run)


@app.command("edit-tweet")
def edit_tweet(
    ctx: typer.Context,
    slug: Slug,
    tweet: TweetArgument,
    category: Annotated[str, typer.Option(metavar="client|influencer|investor", help="Whose tweet it is.")],
    dry_run: DryRun = False,
) -> None:
    """Give a tweet another category. What was collected counts under the new one.

    Example: socap campaign edit-tweet launch 9651898815170611 --category client
    """
    run: Run = ctx.obj
    tweet_id, wanted = tweet_id_of(tweet), tweet_category(category)
    with bootstrap(run).database() as db:
        before = register.tweet_of(db, slug, tweet_id).category
        if not dry_run:
            register.set_category(db, slug, tweet_id, wanted)
    row = {
        "slug": slug,
        "tweet_id": tweet_id,
        "before": before.short,
        "category": wanted.short,
        "dry_run": dry_run,
    }
    said = f"tweet {tweet_id}: {before.short} → {wanted.short}"
    same = f"nothing changed: tweet {tweet_id} is {before.short} already"
    run.done(row, text=same if before is wanted else f"would change {said}" if dry_run else said)


@app.command("remove-tweet")
def remove_tweet(ctx: typer.Context, slug: Slug, tweet: TweetArgument, dry_run: DryRun = False) -> None:
    """Take a tweet out of a campaign. What was collected stays.

    Example: socap campaign remove-tweet launch 9651898815170611
    """
    run: Run = ctx.obj
    tweet_id = tweet_id_of(tweet)
    with bootstrap(run).database() as db:
        register.tweet_of(db, slug, tweet_id)
        if not dry_run:
            removal.remove_tweets(db, slug, [tweet_id])
    done = "would remove" if dry_run else "removed"
    run.done(
        {"slug": slug, "tweet_id": tweet_id, "dry_run": dry_run}, text=f"{done} tweet {tweet_id} from {slug}"
    )
