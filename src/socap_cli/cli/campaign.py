"""socap campaign …"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap, channels_of, look_policy, open_client, open_provider
from socap_cli.campaigns import adding, settings
from socap_cli.campaigns.adding import AddResult, CampaignTotals, Plan, Verifier
from socap_cli.campaigns.estimate import CYCLES_A_DAY, Estimate, Range, estimate_campaign
from socap_cli.campaigns.settings import DAYS, FIELDS, SINGULAR, Difference, Document
from socap_cli.campaigns.source import category_of, from_options, read
from socap_cli.campaigns.urls import tweet_id
from socap_cli.channels import CHANNELS
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Slug, Yes, channels, choice, number, one_of, write_out
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap, one_line
from socap_cli.client.looks import next_looks
from socap_cli.errors import NotATweet, SocapError, UsageError
from socap_cli.files import display_name, printable, read_text
from socap_cli.model.cadence import Look
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, public_campaign
from socap_cli.model.kinds import shown_counters
from socap_cli.model.list_state import TweetState
from socap_cli.model.message import parse_receiver
from socap_cli.store import Db, campaigns, worker_state
from socap_cli.text import counted, since

app = typer.Typer(help="Register campaigns and their tweets.", no_args_is_help=True)

SCHEDULED = "scheduled"
"""How lists show an active campaign that has not started."""
MOST_ACCEPTED = 10
"""Accepted tweets that `add` prints; rejected lines are printed in full."""
TEXT_SHOWN = 60
COUNTERS = shown_counters()
LABELS = {
    "slug": "campaign", "status": "status", "starts_at": "starts", "ends_at": "ends", "threshold": "alerts from",
    "channels": "channels", "slack_webhook": "own webhook", "vips": "VIPs", "ignores": "ignored",
    "spacing_minutes": "spacing, minutes", "frequency_window_minutes": "repeat window, minutes",
    "client_name": "client", "client_email": "client's e-mail", "quiet_hours": "quiet hours", "digest": "digest",
    "cadence": "cadence", "stop_when_cold": "stops when cold",
    "last_cycle_at": "last cycle", "completed_at": "completed", "created_at": "created",
}  # fmt: skip
"""Fields of a campaign as `campaign show` orders and names them."""

Tweets = Annotated[
    list[str],
    typer.Option(
        "--tweet",
        metavar="URL[=CATEGORY]",
        help="A tweet; may be repeated. Categories: client, influencer, investor.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FILE|-", help="Text (one URL per line), CSV, TOML or JSON; - reads stdin."
    ),
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not look the tweets up at the provider first.")
]
Clear = Annotated[
    list[str],
    typer.Option(
        "--clear",
        metavar="FIELD",
        help=f"Reset a setting to its default; may be repeated. "
        f"Fields: {', '.join(key.replace('_', '-') for key in FIELDS if key != settings.NOT_CLEARABLE)}.",
    ),
]
TweetArgument = Annotated[str, typer.Argument(metavar="URL|ID", help="The tweet.")]


def _names(help_text: str) -> Any:
    return Annotated[list[str], typer.Option(metavar="@NAME", help=help_text)]


def _setting(type_: Any, metavar: str, help_text: str) -> Any:
    return Annotated[type_ | None, typer.Option(metavar=metavar, help=help_text)]


SETTINGS: dict[str, Any] = {
    "name": _setting(str, "NAME", "A name for reports and alerts (default: the slug)."),
    "start": _setting(
        str, "ISO", "When monitoring starts; UTC unless it has an offset (default of add: now)."
    ),
    "end": _setting(str, "ISO", "When it ends; UTC unless it has an offset."),
    "days": Annotated[float | None, number("N", "How many days it lasts, instead of --end.")],
    "threshold": Annotated[
        float | None,
        number("N", "Importance from which an engagement is alerted (default: configured, else 10)."),
    ],
    "channel": Annotated[
        list[str],
        typer.Option(
            metavar="NAME[=ADDRESS][,min=N][,digest=D]",
            autocompletion=channels,
            help="Where alerts go, as in slack, email=boss@fund.example,min=50,digest=daily; may be repeated "
            f"(default: all configured). Channels: {', '.join(CHANNELS)}.",
        ),
    ],
    "slack_webhook": _setting(str, "URL", "The campaign's own Slack webhook, instead of the configured one."),
    "client_name": _setting(str, "NAME", "The client."),
    "client_email": _setting(
        str, "ADDRESS", "The client's address; also mailed if --channel email is given."
    ),
    "vip": _names("Always alerted, and without delay; may be repeated."),
    "ignore": _names("Never alerted; may be repeated."),
    "spacing": _setting(
        int, "MINUTES", "Alerts are sent one by one over this time (default: configured, else 20)."
    ),
    "frequency_window": _setting(
        int,
        "MINUTES",
        "The same person and action are not alerted again within this time (default: configured, else 30).",
    ),
    "quiet_hours": _setting(str, "HOURS", "When alerts wait, as in '22:00-07:00 Europe/Berlin'; or off."),
    "digest": Annotated[
        str | None,
        choice(
            "off|hourly|daily", help="Send all alerts but VIPs' together, as in 'daily 08:00 Europe/Berlin'."
        ),
    ],
    "cadence": Annotated[
        str | None,
        choice("fixed|adaptive", help="Poll every half hour, or when it pays (default: configured)."),
    ],
    "stop_when_cold": Annotated[
        bool | None,
        typer.Option(
            "--stop-when-cold/--no-stop-when-cold",
            show_default=False,
            help="Without an end: end by itself when nothing has happened for two days.",
        ),
    ],
}
"""What `add` and `edit` can set of a campaign."""
CHANGES = {
    "add_vip": _names("Add a VIP."),
    "remove_vip": _names("Remove a VIP."),
    "add_ignore": _names("Add an ignored account."),
    "remove_ignore": _names("Remove an ignored account."),
}
Command = Callable[..., None]


def takes(options: Mapping[str, Any]) -> Callable[[Command], Command]:
    """Give a command these options in place of its `**given`: Typer reads the signature."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        *own, given = signature.parameters.values()
        usual = given.replace(kind=given.POSITIONAL_OR_KEYWORD, default=None)
        shared = [usual.replace(name=name, annotation=option) for name, option in options.items()]
        parameters = [*own[:4], *shared, *own[4:]]  # behind the slug and the tweets
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


@app.command("add")
@takes(SETTINGS)
def add(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006  (typer copies defaults)
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
    like: Annotated[
        str,
        typer.Option(
            metavar="SLUG", help="Copy the settings of this campaign, without its dates and tweets."
        ),
    ] = "",
    **given: Any,
) -> None:
    """Create a campaign. Every line of the input is accepted, or rejected with a reason.

    Example: socap campaign add launch --from tweets.csv --days 7
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.second()
    settings.check_slug(slug)
    document = input_of(tweet, source, slug)
    values = values_of(given, document, start=now)
    verify = bool(document.lines) and not no_verify and not dry_run
    with built.database() as db:
        copied = {field: getattr(adding.find(db, like), field) for field in settings.COPIED} if like else {}
        values = checked(built, copied | values)
        campaign = settings.new_campaign(slug, values, built.settings.alerts, now=now)
        with verifying(run, built, db, wanted=verify) as verifier:
            result = adding.add(db, campaign, document.lines, verifier=verifier, now=now, dry_run=dry_run)
        found, warnings = None, list(result.warnings)
        try:
            found = None if dry_run else estimated(built, db, campaign, now=now)
        except Exception as error:  # the campaign is stored already
            reason = error.message if isinstance(error, SocapError) else f"{type(error).__name__}: {error}"
            warnings.append(f"no estimate: {reason}; try again with: socap campaign estimate {slug}")
    usd = built.settings.provider.usd_per_credit
    estimate_text = f"\n{estimate_line(found, usd)}" if found else ""
    print_lines(run, result)
    run.done(
        {**added_row(result), "estimate": estimate_row(found, usd) if found else None, "dry_run": dry_run},
        text=f"{added_line(result, dry_run=dry_run)}{estimate_text}",
        warnings=[*campaign_warnings(campaign, now), *warnings],
        exit_code=PARTLY_DONE if result.rejected else 0,
    )


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[
        str, choice("scheduled|active|paused|completed", help="Only campaigns in this status.")
    ] = "",
) -> None:
    """List campaigns with their totals.

    Example: socap campaign list --status active
    """
    run: Run = ctx.obj
    now = run.now()
    only = one_of(status, [SCHEDULED, *CampaignStatus], "status") if status else ""
    with bootstrap(run).database() as db:
        rows = [row for row in adding.overview(db) if only in ("", status_of(row.campaign, now))]
        warnings = adding.left_out(db)
    run.done(
        {"campaigns": [totals_row(row, now) for row in rows], "total": len(rows)},
        text=lambda: show_list(run, rows, now=now),
        warnings=warnings,
    )


def status_of(campaign: Campaign, now: datetime) -> str:
    is_scheduled = campaign.status is CampaignStatus.ACTIVE and campaign.starts_at > now
    return SCHEDULED if is_scheduled else campaign.status.value


def totals_row(row: CampaignTotals, now: datetime) -> dict[str, Any]:
    totals = {
        name: getattr(row, name) for name in ("tweets", "engagements", "important", "views", "alerts_sent")
    }
    return {**public_campaign(row.campaign), "status": status_of(row.campaign, now), **totals}


def show_list(run: Run, rows: Sequence[CampaignTotals], *, now: datetime) -> None:
    if not rows:
        run.info("no campaigns; create one: socap campaign add SLUG --from FILE")
        return
    names = ("slug", "status", "tweets", "engagements", "important", "views", "alerts", "ends", "name")
    drop = ("name", "alerts", "views", "important", "ends", "engagements", "tweets")
    shown = []
    for row in rows:
        ends_at = row.campaign.ends_at
        if row.campaign.status is CampaignStatus.COMPLETED and ends_at and ends_at > now:
            ends_at = None  # completed by hand, before its end
        shown.append(
            [row.campaign.slug, status_of(row.campaign, now), row.tweets, row.engagements, row.important,
             row.views, row.alerts_sent, ends_at, row.campaign.name]
        )  # fmt: skip
    tables.show(tables.Columns(names, numbers=names[2:7], cut=("name",), drop=drop), shown, now=now)


@app.command("show")
def show(ctx: typer.Context, slug: Slug) -> None:
    """Show a campaign, its tweets and their counters.

    Example: socap campaign show launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now()
    with built.database() as db:
        campaign = adding.find(db, slug)
        tweets = campaigns.tweets_of(db, slug)
        states = worker_state.load(db, [tweet.tweet_id for tweet in tweets])
        is_active = campaign.status is CampaignStatus.ACTIVE
        looks = next_looks(db, campaign, look_policy(built, db), now=now) if is_active else {}
    rows = []
    for tweet in tweets:
        look = looks.get(tweet.tweet_id)
        next_look = {"at": look.at, "lists": sorted(look.lists), "why": look.why} if look else None
        counters = dict(states[tweet.tweet_id].counters)
        rows.append({**tweet_row(tweet), "counters": counters, "next_look": next_look})
    run.done(
        {"campaign": public_campaign(campaign), "tweets": rows},
        text=lambda: show_campaign(campaign, tweets, states, looks=looks, now=now),
    )


def tweet_row(tweet: CampaignTweet) -> dict[str, Any]:
    return {**asdict(tweet), "category": tweet.category.short}


def show_campaign(
    campaign: Campaign,
    tweets: Sequence[CampaignTweet],
    states: Mapping[str, TweetState],
    *,
    looks: Mapping[str, Look],
    now: datetime,
) -> None:
    """A campaign's settings, then a row for each tweet."""
    public = {**public_campaign(campaign), "status": status_of(campaign, now)}
    tables.pairs(
        [
            (label, value_text(public[field]))
            for field, label in LABELS.items()
            if public[field] not in (None, ()) and public[field] is not False
        ],
        title=campaign.name,
    )
    rows = []
    for tweet in tweets:
        look = looks.get(tweet.tweet_id)
        rows.append(
            [
                tweet.tweet_id,
                tweet.category.short,
                f"@{tweet.author_username}" if tweet.author_username else None,
                tweet.posted_at,
                *(states[tweet.tweet_id].counters.get(counter) for counter in COUNTERS),
                ("due" if look.at <= now else since(look.at, now)) if look else None,
                look.why if look else None,
                shortened(tweet.text) if tweet.text else None,
            ]
        )
    columns = ("tweet", "category", "author", "posted", *COUNTERS, "next poll", "why", "text")
    drop = ("text", "why", "posted", *reversed(COUNTERS), "next poll", "category")
    tables.show(tables.Columns(columns, numbers=COUNTERS, cut=("text", "why"), drop=drop), rows, now=now)


@app.command("edit")
@takes({**SETTINGS, **CHANGES})
def edit(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
    clear: Clear = [],  # noqa: B006
    **given: Any,
) -> None:
    """Change a campaign. Settings that are not named stay. A later end resumes a completed campaign.

    Example: socap campaign edit launch --threshold 20 --add-vip @ada
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    document = input_of(tweet, source, slug)
    now = run.second()
    verify = bool(document.lines) and not no_verify and not dry_run
    with built.database() as db, verifying(run, built, db, wanted=verify) as verifier:
        before = adding.find(db, slug)
        values = values_of(given, document, start=before.starts_at)
        defaults = settings.cleared(clear, slug, built.settings.alerts)
        for key, field in FIELDS.items():
            if field in values and field in defaults:
                raise UsageError(
                    f"--clear {key.replace('_', '-')} resets what is also set", hint="give one of them"
                )
        values |= defaults
        for field, one in (("vips", "vip"), ("ignores", "ignore")):
            added_names = settings.read_accounts(given[f"add_{one}"] or [], f"--add-{one}")
            removed_names = settings.read_accounts(given[f"remove_{one}"] or [], f"--remove-{one}")
            if added_names or removed_names:
                names = dict.fromkeys((*values.get(field, getattr(before, field)), *added_names))
                values[field] = tuple(account for account in names if account not in removed_names)
        values = checked(built, values)
        if not values and not document.lines:
            raise UsageError("nothing to change", hint="see the options: socap campaign edit --help")
        after = settings.changed(before, values, now=now)
        added = adding.add_tweets(
            db, slug, document.lines, verifier=verifier, now=now, dry_run=dry_run, may_be_none=True
        )
        if not dry_run:
            after = adding.update(db, before, after)
    changes = settings.differences(before, after)
    print_lines(run, added)
    run.done(
        {
            "campaign": public_campaign(after),
            "changed": [change.name for change in changes],
            "changes": changes_rows(changes),
            **{key: value for key, value in added_row(added).items() if key != "slug"},
            "dry_run": dry_run,
        },
        text=lambda: show_changes(run, changes, added, dry_run=dry_run),
        warnings=[*campaign_warnings(after, now, before=before), *added.warnings],
        exit_code=PARTLY_DONE if added.rejected else 0,
    )


def show_changes(run: Run, changes: Sequence[Difference], added: AddResult, *, dry_run: bool) -> None:
    would = "would change " if dry_run else ""
    lines = [f"{would}{line}" for line in change_lines(changes)]
    if added.accepted or added.rejected:
        lines.append(added_line(added, dry_run=dry_run))
    for line in lines or ["no changes"]:
        run.print(line)


@app.command("delete")
def delete(ctx: typer.Context, slug: Slug, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Delete a campaign with its tweets, jobs and alerts. Collected engagements stay.

    Example: socap campaign delete launch --dry-run
    """
    run: Run = ctx.obj
    if not yes and not dry_run:
        raise UsageError(
            f"this deletes campaign {slug!r}", hint="confirm with --yes, or preview with --dry-run"
        )
    with bootstrap(run).database() as db:
        tweets, engagements = adding.delete(db, slug, dry_run=dry_run)
    run.done(
        {"slug": slug, "tweets": tweets, "engagements_left": engagements, "dry_run": dry_run},
        text=f"{'would delete' if dry_run else 'deleted'} {slug} with {counted(tweets, 'tweet')}; "
        f"{counted(engagements, 'engagement')} stay, and so does the history of the counters",
    )


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
    document = input_of(tweet, source, slug)
    now = run.second()
    with built.database() as db, verifying(run, built, db, wanted=not no_verify and not dry_run) as verifier:
        result = adding.add_tweets(db, slug, document.lines, verifier=verifier, now=now, dry_run=dry_run)
    ignored = f"settings in the file are not applied; apply them with: socap campaign apply {source}"
    print_lines(run, result)
    run.done(
        {**added_row(result), "dry_run": dry_run},
        text=added_line(result, dry_run=dry_run),
        warnings=[*([ignored] if document.given else []), *result.warnings],
        exit_code=PARTLY_DONE if result.rejected else 0,
    )


@app.command("edit-tweet")
def edit_tweet(
    ctx: typer.Context,
    slug: Slug,
    tweet: TweetArgument,
    category: Annotated[str, choice("client|influencer|investor", help="Its author group.")],
    dry_run: DryRun = False,
) -> None:
    """Move a tweet to another category. Its engagements count under the new one.

    Example: socap campaign edit-tweet launch 9651898815170611 --category client
    """
    run: Run = ctx.obj
    number = tweet_id_of(tweet)
    try:
        after = category_of(category.strip() or "?")
    except NotATweet as reason:
        raise UsageError(f"--category: {reason}") from None
    with bootstrap(run).database() as db:
        before = adding.tweet_of(db, slug, number).category
        if not dry_run and before is not after:
            campaigns.set_category(db, slug, number, after)
    change = f"tweet {number}: {before.short} → {after.short}"
    same = f"no changes: tweet {number} is {before.short} already"
    row = {"slug": slug, "tweet_id": number, "before": before.short, "category": after.short}
    run.done(
        {**row, "dry_run": dry_run},
        text=same if before is after else f"would change {change}" if dry_run else change,
    )


@app.command("remove-tweet")
def remove_tweet(ctx: typer.Context, slug: Slug, tweet: TweetArgument, dry_run: DryRun = False) -> None:
    """Remove a tweet from a campaign. Collected engagements stay.

    Example: socap campaign remove-tweet launch 9651898815170611
    """
    run: Run = ctx.obj
    number = tweet_id_of(tweet)
    with bootstrap(run).database() as db:
        adding.tweet_of(db, slug, number)
        if not dry_run:
            adding.remove_tweets(db, slug, [number])
    run.done(
        {"slug": slug, "tweet_id": number, "dry_run": dry_run},
        text=f"{'would remove' if dry_run else 'removed'} tweet {number} from {slug}",
    )


def tweet_id_of(text: str) -> str:
    """Raises UsageError."""
    try:
        return tweet_id(text)
    except NotATweet as reason:
        raise UsageError(f"{printable(text)[:80]}: {reason}") from None


@app.command("pause")
def pause(ctx: typer.Context, slug: Slug, dry_run: DryRun = False) -> None:
    """Stop collecting until `resume`.

    Example: socap campaign pause launch
    """
    change_status(ctx.obj, slug, settings.with_status, CampaignStatus.PAUSED, dry_run=dry_run)


@app.command("complete")
def complete(ctx: typer.Context, slug: Slug, dry_run: DryRun = False) -> None:
    """End a campaign now.

    Example: socap campaign complete launch
    """
    change_status(ctx.obj, slug, settings.with_status, CampaignStatus.COMPLETED, dry_run=dry_run)


@app.command("resume")
def resume(
    ctx: typer.Context,
    slug: Slug,
    days: Annotated[float | None, number("N", "For this many days from now.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Collect again, also a completed campaign.

    Example: socap campaign resume launch --days 3
    """
    duration = None if days is None else settings.read_days(days, "--days")
    change_status(ctx.obj, slug, settings.resumed, duration, dry_run=dry_run)


def change_status(run: Run, slug: str, change: Callable[..., Campaign], to: Any, *, dry_run: bool) -> None:
    """Store and print what `change(campaign, to, now=…)` returns."""
    now = run.second()
    with bootstrap(run).database() as db:
        before = adding.find(db, slug)
        campaign = change(before, to, now=now)
        if not dry_run:
            campaign = adding.update(db, before, campaign)
    ends = campaign.ends_at if campaign.status is CampaignStatus.ACTIVE else None
    until = f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    run.done(
        {"campaign": public_campaign(campaign), "dry_run": dry_run},
        text=f"{campaign.slug} {'would be' if dry_run else 'is'} {campaign.status.value}{until}",
        warnings=without_end(campaign) if campaign.status is CampaignStatus.ACTIVE else [],
    )


@app.command("apply")
def apply(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A campaign as TOML; - reads stdin.")],
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Create the campaign of a file, or change what differs. Applying the same file twice changes nothing.

    Settings that the file does not name stay. If it lists tweets, all others are removed from the campaign, and their
    engagements stay. `socap campaign export` writes such a file.

    Example: socap campaign apply launch.toml --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.second()
    document = settings.read_document(read_text(file), display_name(file))
    with built.database() as db:
        planned = adding.plan(db, document, built.settings.alerts, now=now)
        checked(
            built,
            {name: getattr(planned.after, name) for name in ("channels", "slack_webhook", "client_email")},
        )
        done = None
        if not dry_run:
            with verifying(run, built, db, wanted=bool(planned.new) and not no_verify) as verifier:
                done = adding.carry_out(db, planned, verifier=verifier, now=now)
    rejected = done.rejected if done else planned.rejected
    print_lines(run, AddResult(planned.after.slug, (), rejected))
    run.done(
        {
            "slug": planned.after.slug,
            "created": planned.before is None,
            "changed": not planned.is_empty,
            "changes": changes_rows(planned.changes),
            "tweets_added": done.tweets_added if done else len(planned.new),
            "tweets_removed": [tweet.tweet_id for tweet in planned.removed],
            "tweets_recategorized": [
                {"tweet_id": tweet.tweet_id, "before": tweet.category.short, "after": category.short}
                for tweet, category in planned.recategorized
            ],
            "rejected": [asdict(entry) for entry in rejected],
            "dry_run": dry_run,
        },
        text=lambda: show_plan(run, planned, dry_run=dry_run),
        warnings=[*planned.warnings, *campaign_warnings(planned.after, now, before=planned.before)],
        exit_code=PARTLY_DONE if rejected else 0,
    )


def show_plan(run: Run, planned: Plan, *, dry_run: bool) -> None:
    lines = [f"~ {line}" for line in change_lines(planned.changes)] if planned.before else []
    lines += [f"+ tweet {entry.tweet_id} ({entry.category.short})" for entry in planned.new]
    lines += [
        f"~ tweet {tweet.tweet_id}: {tweet.category.short} → {category.short}"
        for tweet, category in planned.recategorized
    ]
    lines += [f"- tweet {tweet.tweet_id} ({tweet.category.short})" for tweet in planned.removed]
    verb = "created" if planned.before is None else "changed"
    outcome = "no changes" if planned.is_empty else f"would be {verb}" if dry_run else verb
    for line in (*lines, f"{planned.after.slug}: {outcome}"):
        run.print(line)


@app.command("export")
def export(
    ctx: typer.Context,
    slug: Slug,
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
) -> None:
    """Write a campaign as the TOML file that `socap campaign apply` reads, without secret addresses.

    Example: socap campaign export launch --out launch.toml
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        campaign = adding.find(db, slug)
        tweets = campaigns.tweets_of(db, slug)
    write_out(run, settings.write_document(campaign, tweets), out, len(tweets), what="tweet")


@app.command("estimate")
def estimate(ctx: typer.Context, slug: Slug) -> None:
    """Estimate what a campaign costs per day and in total, for both cadences.

    Example: socap campaign estimate launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        campaign = adding.find(db, slug)
        found = estimated(built, db, campaign, now=run.now())
    usd = built.settings.provider.usd_per_credit
    no_end = f"{slug} has no end, so seven days are estimated; socap campaign edit {slug} --end, or --stop-when-cold"
    run.done(
        estimate_row(found, usd),
        text=lambda: show_estimate(found, usd),
        warnings=[no_end] if found.end_is_assumed and not campaign.stop_when_cold else [],
    )


def estimated(built: Bootstrap, db: Db, campaign: Campaign, *, now: datetime) -> Estimate:
    with open_provider(built, needs_key=False) as provider:
        return estimate_campaign(db, campaign, look_policy(built, db), provider, now=now)


def estimate_row(found: Estimate, usd_per_credit: float) -> dict[str, Any]:
    chosen = found.chosen
    return {
        "tweets": found.tweets,
        "tweets_not_read": found.not_read,
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
                "day": {name: round(value) for name, value in asdict(costs.day).items()},
                "whole": {name: round(value) for name, value in asdict(costs.whole).items()},
                "requests_a_day": round(costs.requests_a_day, 1),
            }
            for cadence, costs in found.by_cadence.items()
        },
        "basis": found.basis,
    }


def not_estimated(found: Estimate) -> str:
    """`not estimated (3 tweets not read yet)`, or nothing when every tweet was read."""
    return f"not estimated ({counted(found.not_read, 'tweet')} not read yet)" if found.not_read else ""


def estimate_line(found: Estimate, usd_per_credit: float) -> str:
    if found.tweets == found.not_read:
        return f"estimate: {not_estimated(found) or 'no tweets'}"
    day, whole = (
        f"{spread(costs, 1.0, '{:,.0f}')} credits, USD {costs.likely * usd_per_credit:,.2f}"
        for costs in (found.chosen.day, found.chosen.whole)
    )
    without = f"; without {counted(found.not_read, 'tweet')} not read yet" if found.not_read else ""
    assumed = " (no end: seven days assumed)" if found.end_is_assumed else ""
    return f"estimate: {day} a day; {whole} in total{assumed}{without}"


def show_estimate(found: Estimate, usd_per_credit: float) -> None:
    columns = ("cadence", "requests a day", "credits a day", "USD a day", "credits in total", "USD in total")
    drop = ("requests a day", "credits in total", "credits a day")
    rows = []
    for cadence, costs in found.by_cadence.items():
        rows.append(
            [
                f"{cadence.value} *" if cadence is found.cadence else cadence.value,
                f"{costs.requests_a_day:,.0f}",
                spread(costs.day, 1.0, "{:,.0f}"),
                spread(costs.day, usd_per_credit, "{:,.2f}"),
                spread(costs.whole, 1.0, "{:,.0f}"),
                spread(costs.whole, usd_per_credit, "{:,.2f}"),
            ]
        )
    if found.tweets > found.not_read:
        tables.show(tables.Columns(columns, numbers=columns[1:], drop=drop), rows)
    assumed = " (assumed: it has no end)" if found.end_is_assumed else ""
    pairs = [
        ("* its own", f"{counted(found.tweets, 'tweet')} until {found.ends_at:%Y-%m-%d %H:%M} UTC{assumed}"),
        ("spent so far", f"{found.spent:,.0f} credits"),
        ("based on", found.basis),
    ]
    if found.not_read:
        pairs.append(("total without", not_estimated(found)))
    tables.pairs(pairs)


def spread(costs: Range, factor: float, form: str) -> str:
    low, likely, high = (form.format(value * factor) for value in (costs.low, costs.likely, costs.high))
    return f"{likely} ({low} to {high})"


def input_of(tweets: Sequence[str], source: str | None, slug: str) -> Document:
    """The tweets of `--tweet` and `--from`, and the settings of a TOML file. Raises UsageError."""
    lines = tuple(from_options(tweets))
    if source is None:
        return Document(slug, {}, lines, bool(lines))
    content, name = read_text(source), display_name(source)
    if name.lower().endswith(".toml"):
        document = settings.read_document(content, name)
        if document.slug not in (None, slug):
            raise UsageError(f"{name} is for campaign {document.slug!r}", hint="socap campaign apply FILE")
        given, more = settings.clearing(document.given)[0], document.lines
    else:
        given, more = {}, tuple(read(content, name=name))
    if not lines and not more:
        raise UsageError(f"{name} contains no tweet", hint="write one URL per line")
    return Document(slug, given, (*lines, *more), lists_tweets=True)


def values_of(given: Mapping[str, Any], document: Document, *, start: datetime) -> dict[str, Any]:
    """What the options and the file set of a campaign; options win. Raises UsageError."""
    by_key = {key: given[SINGULAR.get(key, key)] for key in (*FIELDS, DAYS)}
    options = {key: value for key, value in by_key.items() if value is not None and value != []}
    both = settings.over_file(options, document.given)
    return settings.read_settings(both, start=start, of_file=set(document.given) - set(options))


def checked(built: Bootstrap, values: dict[str, Any]) -> dict[str, Any]:
    """Settings whose channels exist and whose addresses are allowed. Raises UsageError."""
    channels = channels_of(built)
    recipients = []
    for text in values.get("channels") or ():
        recipient = parse_receiver(text)
        name = one_of(recipient.channel, channels, "channel")
        if recipient.address:
            channels[name].check(recipient.address)
        recipients.append(name + text.strip()[len(name) :])
    if recipients:
        values = {**values, "channels": tuple(recipients)}
    if webhook := values.get("slack_webhook"):
        channels["slack"].check(webhook)
    if email := values.get("client_email"):
        values = {**values, "client_email": channels["email"].check(email)}
    return values


@contextmanager
def verifying(run: Run, built: Bootstrap, db: Db, *, wanted: bool) -> Iterator[Verifier | None]:
    """None when not wanted. Raises ConfigError without a provider key."""
    if not wanted:
        yield None
        return
    try:
        built.key()
    except UsageError as error:
        error.hint = f"{error.hint}, or add the tweets unchecked with --no-verify"
        raise
    with open_provider(built) as provider:
        yield Verifier(open_client(built, db, provider, now=run.now), run.info)


def campaign_warnings(campaign: Campaign, now: datetime, *, before: Campaign | None = None) -> list[str]:
    """What is probably not meant; of a changed campaign only what the change brought."""
    warnings = without_end(campaign) if before is None or before.ends_at else []
    if campaign.ends_at is not None and campaign.ends_at <= now:
        warnings.append(
            f"the window of {campaign.slug} ended at {campaign.ends_at:%Y-%m-%d %H:%M} UTC: one last cycle is due"
        )
    is_mailed = any(parse_receiver(text).channel == "email" for text in campaign.channels)
    is_new = before is None or (before.client_email, before.channels) != (
        campaign.client_email,
        campaign.channels,
    )
    if campaign.client_email and not is_mailed and is_new:
        warnings.append(
            f"{campaign.client_email} gets no alerts: add the e-mail channel with "
            f"socap campaign edit {campaign.slug} --channel email"
        )
    return warnings


def without_end(campaign: Campaign) -> list[str]:
    if campaign.ends_at is not None or campaign.stop_when_cold:
        return []
    return [
        f"{campaign.slug} has no end: it is collected, and paid for, until you end it "
        f"(socap campaign edit {campaign.slug} --days N, or --stop-when-cold)"
    ]


def added_row(result: AddResult) -> dict[str, Any]:
    return {
        "slug": result.slug,
        "tweets_added": result.tweets_added,
        "tweets_already_there": result.tweets_already_there,
        "accepted": [
            {"line": entry.line, "new": entry.is_new, **tweet_row(entry.tweet)} for entry in result.accepted
        ],
        "rejected": [asdict(entry) for entry in result.rejected],
    }


def print_lines(run: Run, result: AddResult) -> None:
    """The first accepted tweets and every rejected line, in the order of the input."""
    lines = [
        (entry.line, f"rejected: line {entry.line}: {entry.text}: {entry.reason}")
        for entry in result.rejected
    ]
    for entry in result.accepted[:MOST_ACCEPTED]:
        tweet = entry.tweet
        parts = [f"{'accepted' if entry.is_new else 'already there'}: line {entry.line}: {tweet.tweet_id}"]
        parts.append(tweet.category.short)
        parts += [f"@{tweet.author_username}"] if tweet.author_username else []
        parts += [f"{tweet.posted_at:%Y-%m-%d %H:%M} UTC"] if tweet.posted_at else []
        parts += [repr(shortened(tweet.text))] if tweet.text else []
        lines.append((entry.line, " ".join(parts)))
    for _, line in sorted(lines, key=lambda pair: pair[0]):
        run.info(one_line(line))
    if (more := len(result.accepted) - MOST_ACCEPTED) > 0:
        run.info(f"… and {more:,} more accepted (--json lists all)")


def added_line(result: AddResult, *, dry_run: bool = False) -> str:
    tweets = counted(result.tweets_added, "tweet")
    parts = [f"would add {tweets}" if dry_run else f"{tweets} added"]
    if result.tweets_already_there:
        parts.append(f"{result.tweets_already_there:,} already there")
    if result.rejected:
        parts.append(f"{len(result.rejected):,} rejected")
    return f"{result.slug}: {', '.join(parts)}"


def changes_rows(changes: Sequence[Difference]) -> list[dict[str, Any]]:
    return [{"field": change.name, "before": change.before, "after": change.after} for change in changes]


def change_lines(changes: Sequence[Difference]) -> list[str]:
    return [
        f"{change.name.replace('_', ' ')}: {value_text(change.before)} → {value_text(change.after)}"
        for change in changes
    ]


def value_text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return tables.cell_text(value)


def shortened(text: str) -> str:
    plain = one_line(text)
    return plain if len(plain) <= TEXT_SHOWN else f"{plain[: TEXT_SHOWN - 1]}…"
