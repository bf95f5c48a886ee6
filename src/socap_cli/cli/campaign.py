"""socap campaign …"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from inspect import Parameter
from typing import Annotated, Any, get_args, get_origin

import typer

from socap_cli.bootstrap import Bootstrap, channels_of, look_policy, open_client, open_provider
from socap_cli.campaigns import adding, settings
from socap_cli.campaigns.adding import (
    Accepted,
    AddResult,
    ApplyResult,
    CampaignTotals,
    Deletion,
    Plan,
    Verifier,
    overview,
    set_status,
)
from socap_cli.campaigns.adding import (
    resume as resume_campaign,
)
from socap_cli.campaigns.estimate import CYCLES_A_DAY, Estimate, Pricing, Range
from socap_cli.campaigns.settings import (
    DAYS,
    SETTINGS,
    Difference,
    check_slug,
    cleared,
    clearing,
    over_file,
    read_accounts,
    read_days,
    read_document,
    read_settings,
)
from socap_cli.campaigns.source import Line, Rejected, category_of, from_options, read
from socap_cli.campaigns.urls import tweet_id
from socap_cli.channels import CHANNELS, Channel
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Slug, Yes, one_of, write_out
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap, one_line
from socap_cli.client.looks import next_looks
from socap_cli.errors import NotATweet, UsageError
from socap_cli.files import display_name, printable, read_text
from socap_cli.model.cadence import Look
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory, public_campaign
from socap_cli.model.kinds import shown_counters
from socap_cli.model.list_state import TweetState
from socap_cli.model.message import parse_receiver
from socap_cli.settings import Alerts
from socap_cli.store import Db, campaigns, worker_state
from socap_cli.text import counted, since

app = typer.Typer(help="Register campaigns and their tweets.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Input:
    """What options and a file say together; an option wins over the file."""

    given: dict[str, Any]
    """Settings by name, those of a TOML file."""
    lines: list[Line]


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
        "--from", metavar="FILE|-", help="Text (a link a line), any table, TOML or JSON; - is stdin."
    ),
]


NoVerify = Annotated[bool, typer.Option("--no-verify", help="Do not look the tweets up at the provider.")]


Name = Annotated[str | None, typer.Option(metavar="NAME", help="A name for people.")]


Start = Annotated[str | None, typer.Option(metavar="ISO", help="When collecting starts (default: now).")]


NewStart = Annotated[str | None, typer.Option(metavar="ISO", help="When collecting starts.")]


End = Annotated[str | None, typer.Option(metavar="ISO", help="When it ends.")]


Days = Annotated[float | None, typer.Option(metavar="N", help="How many days it lasts, instead of --end.")]


Threshold = Annotated[
    float | None, typer.Option(metavar="N", help="Importance from which an engagement is alerted.")
]


Channels = Annotated[
    list[str],
    typer.Option(
        "--channel",
        metavar="NAME[=ADDRESS][,min=N][,digest=D]",
        help="Where alerts go, as in slack, email=boss@fund.example,min=50,digest=daily; may be repeated (default: "
        f"all that are configured). There are {', '.join(CHANNELS)}.",
    ),
]


Webhook = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The campaign's own Slack webhook; wins over the global one."),
]


ClientName = Annotated[str | None, typer.Option(metavar="NAME", help="Whose campaign it is.")]


ClientEmail = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Mailed as well when --channel email is given.")
]


Vips = Annotated[
    list[str],
    typer.Option("--vip", metavar="@NAME", help="Alerted at once, whatever the importance; may be repeated."),
]


Ignores = Annotated[
    list[str], typer.Option("--ignore", metavar="@NAME", help="Never alerted; may be repeated.")
]


Spacing = Annotated[int | None, typer.Option(metavar="MINUTES", help="Alerts are spread over this time.")]


Window = Annotated[
    int | None,
    typer.Option(metavar="MINUTES", help="The same person and action are told again only after this time."),
]


Clear = Annotated[
    list[str],
    typer.Option(
        "--clear",
        metavar="FIELD",
        help="Take a setting back: end, name, threshold, channels, slack-webhook, client-name, client-email, vips, "
        "ignores, spacing, frequency-window, quiet-hours, digest, cadence, stop-when-cold; may be repeated.",
    ),
]


AddVips = Annotated[list[str], typer.Option("--add-vip", metavar="@NAME", help="One VIP more.")]


RemoveVips = Annotated[list[str], typer.Option("--remove-vip", metavar="@NAME", help="One VIP less.")]


AddIgnores = Annotated[list[str], typer.Option("--add-ignore", metavar="@NAME", help="One ignored more.")]


RemoveIgnores = Annotated[
    list[str], typer.Option("--remove-ignore", metavar="@NAME", help="One ignored less.")
]


CadenceOption = Annotated[
    str | None,
    typer.Option(
        metavar="fixed|adaptive", help="Look every half hour, or when it pays (default: configured)."
    ),
]


Digest = Annotated[
    str | None,
    typer.Option(
        metavar="off|hourly|daily", help="Tell all but VIPs together, as in 'daily 08:00 Europe/Berlin'."
    ),
]


QuietHours = Annotated[
    str | None,
    typer.Option(metavar="HOURS", help="When nothing is told, as in '22:00-07:00 Europe/Berlin'; or off."),
]


StopWhenCold = Annotated[
    bool | None,
    typer.Option(
        "--stop-when-cold/--no-stop-when-cold",
        show_default=False,
        help="Without an end: end by itself when nothing has happened for two days.",
    ),
]


SETTINGS_OF_ADD: dict[str, Any] = {
    "name": Name, "start": Start, "end": End, "days": Days, "threshold": Threshold, "channel": Channels,
    "slack_webhook": Webhook, "client_name": ClientName, "client_email": ClientEmail, "vip": Vips, "ignore": Ignores,
    "spacing": Spacing, "frequency_window": Window, "quiet_hours": QuietHours, "digest": Digest,
    "cadence": CadenceOption, "stop_when_cold": StopWhenCold,
}  # fmt: skip
"""Every setting's option, by the name of its parameter."""


SETTINGS_OF_EDIT: dict[str, Any] = {
    **SETTINGS_OF_ADD, "add_vip": AddVips, "remove_vip": RemoveVips, "add_ignore": AddIgnores,
    "remove_ignore": RemoveIgnores, "clear": Clear, "start": NewStart,
}  # fmt: skip


TweetArgument = Annotated[str, typer.Argument(metavar="URL|ID", help="The tweet.")]


COUNTERS = shown_counters()


LABELS = {
    "slug": "campaign", "status": "status", "starts_at": "starts", "ends_at": "ends", "threshold": "alerts from",
    "channels": "channels", "slack_webhook": "own webhook", "vips": "VIPs", "ignores": "ignored",
    "spacing_minutes": "spread over, minutes", "frequency_window_minutes": "again after, minutes",
    "client_name": "client", "client_email": "client's mail", "quiet_hours": "quiet hours", "digest": "digest",
    "cadence": "cadence", "stop_when_cold": "stops when cold",
    "last_cycle_at": "last cycle", "completed_at": "completed", "created_at": "created",
}  # fmt: skip
"""Fields of a campaign in the order and words of `campaign show`."""


TEXT_SHOWN = 60


def _is_list(kind: Any) -> bool:
    return get_origin(get_args(kind)[0]) is list


def with_options(options: Mapping[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options beside its own. It finds their values in its context's parameters."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        more = [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=[] if _is_list(kind) else None)
            for name, kind in options.items()
        ]

        def run(**given: Any) -> None:
            command(**{name: value for name, value in given.items() if name in own.parameters})

        run.__doc__, run.__name__ = command.__doc__, command.__name__
        run.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
        run.__annotations__ = {name: p.annotation for name, p in own.parameters.items()} | dict(options)
        return run

    return decorate


@app.command("add")
@with_options(SETTINGS_OF_ADD)
def add(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006  (typer copies defaults)
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Create a campaign. Every line of the input is accepted or named with a reason.

    Example: socap campaign add launch --from tweets.csv --days 7
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = _now(run)
    check_slug(slug)
    said = input_of(tweet, source, slug)
    given = over_file(options_of(ctx), said.given)
    values = checked(built, read_settings(given, start=now, of_file=set(said.given) - set(options_of(ctx))))
    campaign = settings.new_campaign(slug, values, built.settings.alerts, now=now)
    verify = bool(said.lines) and not no_verify and not dry_run
    with built.database() as db, verifying(run, built, db, wanted=verify) as verifier:
        result = adding.add(db, campaign, said.lines, verifier=verifier, now=now, dry_run=dry_run)
    warnings = [*without_end(campaign), *already_over(campaign, now)]
    tell_added(run, result, warnings, dry_run=dry_run)


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(metavar="active|paused|completed", help="Only these.")] = "",
) -> None:
    """List campaigns with what they brought.

    Example: socap campaign list --status active
    """
    run: Run = ctx.obj
    wanted = CampaignStatus(one_of(status, CampaignStatus, "status")) if status else None
    with bootstrap(run).database() as db:
        rows = overview(db, wanted)
        warnings = adding.left_out(db)
    run.done(
        {"campaigns": [totals_row(row) for row in rows]},
        text=lambda: show_list(run, rows, now=run.now()),
        warnings=warnings,
    )


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
        is_watched = campaign.status is CampaignStatus.ACTIVE
        looks = next_looks(db, campaign, look_policy(built, db), now=now) if is_watched else {}
    rows = [watched_row(t, states[t.tweet_id], looks.get(t.tweet_id)) for t in tweets]
    run.done(
        {"campaign": public_campaign(campaign), "tweets": rows},
        text=lambda: show_campaign(campaign, tweets, states, looks=looks, now=now),
    )


@app.command("edit")
@with_options(SETTINGS_OF_EDIT)
def edit(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Change a campaign; what is not named stays, and so does what was collected. A later end opens it again.

    Example: socap campaign edit launch --threshold 20 --add-vip @ada
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    said = input_of(tweet, source, slug)
    now = _now(run)
    verify = bool(said.lines) and not no_verify and not dry_run
    with built.database() as db, verifying(run, built, db, wanted=verify) as verifier:
        before = adding.find(db, slug)
        values = checked(built, edited_values(ctx, said, before, built.settings.alerts))
        if not values and not said.lines:
            raise UsageError("nothing to change", hint="name what to change: socap campaign edit --help")
        after = settings.changed(before, values, now=now)
        added = adding.add_usable(db, slug, said.lines, verifier=verifier, now=now, dry_run=dry_run)
        if not dry_run:
            after = adding.update(db, before, after)
    changes = settings.differences(before, after)
    tell_lines(run, added.accepted, added.rejected)
    run.done(
        edited_row(after, changes, added, dry_run=dry_run),
        text=lambda: show_changes(run, changes, added, dry_run=dry_run),
        warnings=[
            *(without_end(after) if before.ends_at else []),
            *already_over(after, now),
            *added.warnings,
        ],
        exit_code=PARTLY_DONE if added.rejected else 0,
    )


@app.command("delete")
def delete(ctx: typer.Context, slug: Slug, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Delete a campaign with its tweets, jobs and alerts. What was collected stays.

    Example: socap campaign delete launch --dry-run
    """
    run: Run = ctx.obj
    if not yes and not dry_run:
        raise UsageError(
            f"this deletes campaign {slug!r}", hint="say --yes to do it, or --dry-run to see what"
        )
    with bootstrap(run).database() as db:
        done = adding.delete(db, slug, dry_run=dry_run)
    run.done(
        {"slug": slug, **asdict(done), "dry_run": dry_run},
        text=deletion_line(slug, done, dry_run=dry_run),
    )


def _now(run: Run) -> datetime:
    return run.now().replace(microsecond=0)


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
    tell_added(run, result, ignored, dry_run=dry_run)


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
        before = adding.tweet_of(db, slug, tweet_id).category
        if not dry_run:
            adding.set_category(db, slug, tweet_id, wanted)
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
        adding.tweet_of(db, slug, tweet_id)
        if not dry_run:
            adding.remove_tweets(db, slug, [tweet_id])
    done = "would remove" if dry_run else "removed"
    run.done(
        {"slug": slug, "tweet_id": tweet_id, "dry_run": dry_run}, text=f"{done} tweet {tweet_id} from {slug}"
    )


@app.command("pause")
def pause(ctx: typer.Context, slug: Slug, dry_run: DryRun = False) -> None:
    """Stop collecting until `resume`.

    Example: socap campaign pause launch
    """
    _set_status(ctx.obj, slug, CampaignStatus.PAUSED, dry_run=dry_run)


@app.command("resume")
def resume(
    ctx: typer.Context,
    slug: Slug,
    days: Annotated[float | None, typer.Option(metavar="N", help="For so many days from now.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Collect again, a completed campaign as well.

    Example: socap campaign resume launch --days 3
    """
    run: Run = ctx.obj
    lasting = None if days is None else read_days(days, "--days")
    now = run.now().replace(microsecond=0)
    with bootstrap(run).database() as db:
        campaign = resume_campaign(db, slug, lasting, now=now, dry_run=dry_run)
    _tell(run, campaign, without_end(campaign), dry_run=dry_run)


@app.command("complete")
def complete(ctx: typer.Context, slug: Slug, dry_run: DryRun = False) -> None:
    """End a campaign now.

    Example: socap campaign complete launch
    """
    _set_status(ctx.obj, slug, CampaignStatus.COMPLETED, dry_run=dry_run)


def _set_status(run: Run, slug: str, status: CampaignStatus, *, dry_run: bool) -> None:
    now = run.now().replace(microsecond=0)
    with bootstrap(run).database() as db:
        campaign = set_status(db, slug, status, now=now, dry_run=dry_run)
    _tell(run, campaign, (), dry_run=dry_run)


def _tell(run: Run, campaign: Campaign, warnings: Sequence[str], *, dry_run: bool) -> None:
    ends = campaign.ends_at if campaign.status is CampaignStatus.ACTIVE else None
    until = f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    run.done(
        {"campaign": public_campaign(campaign), "dry_run": dry_run},
        text=f"{campaign.slug} {'would be' if dry_run else 'is'} {campaign.status.value}{until}",
        warnings=warnings,
    )


@app.command("apply")
def apply(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A campaign as TOML; - is stdin.")],
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Make a campaign what its file says: create it, or change what differs. The same file twice changes nothing.

    Settings that the file does not name stay. When it lists tweets, these are the campaign's: others are taken out,
    and what was collected of them stays. `socap campaign export` writes such a file.

    Example: socap campaign apply launch.toml --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now().replace(microsecond=0)
    said = settings.read_document(read_text(file), display_name(file))
    with built.database() as db:
        planned = adding.plan(db, said, built.settings.alerts, now=now)
        checked(built, public_values(planned.after))
        verify = bool(planned.new) and not no_verify and not dry_run
        done = None
        if not dry_run:
            with verifying(run, built, db, wanted=verify) as verifier:
                done = adding.carry_out(db, planned, verifier=verifier, now=now)
    rejected = done.rejected if done else planned.rejected
    tell_lines(run, (), rejected)
    run.done(
        plan_row(planned, done),
        text=lambda: show_plan(run, planned, dry_run=dry_run),
        warnings=[*planned.warnings, *without_end(planned.after)],
        exit_code=PARTLY_DONE if rejected else 0,
    )


@app.command("export")
def export(
    ctx: typer.Context,
    slug: Slug,
    out: Annotated[str, typer.Option(metavar="FILE", help="Write here instead of stdout.")] = "",
) -> None:
    """Write a campaign as the TOML file that `socap campaign apply` reads. A webhook is a secret and left out.

    Example: socap campaign export launch --out launch.toml
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        campaign = adding.find(db, slug)
        tweets = campaigns.tweets_of(db, slug)
    write_out(run, settings.write_document(campaign, tweets), out, len(tweets), what="tweet")


@app.command("estimate")
def estimate(ctx: typer.Context, slug: Slug) -> None:
    """What a day and the whole of a campaign cost in requests and money, by either cadence.

    Example: socap campaign estimate launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db, open_provider(built, needs_key=False) as provider:
        campaign = adding.find(db, slug)
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


def input_of(tweets: Sequence[str], source: str | None, slug: str) -> Input:
    """The tweets of `--tweet` and `--from`, and the settings of a campaign's file. Raises UsageError."""
    lines = from_options(tweets)
    if source is None:
        return Input({}, lines)
    content, name = read_text(source), display_name(source)
    if not name.lower().endswith(".toml"):
        lines.extend(read(content, name=name))
        given: dict[str, Any] = {}
    else:
        document = read_document(content, name)
        if document.slug not in (None, slug):
            raise UsageError(f"{name} is of campaign {document.slug!r}", hint="socap campaign apply FILE")
        lines.extend(document.lines)
        given = clearing(document.given)[0]
    if not lines:
        raise UsageError(f"{name} names no tweet", hint="a link a line is enough")
    return Input(given, lines)


def edited_values(ctx: typer.Context, said: Input, before: Campaign, alerts: Alerts) -> dict[str, Any]:
    """The fields that `edit` sets: options over a file, what is cleared, accounts more or less. Raises UsageError."""
    options = options_of(ctx)
    given = over_file(options, said.given)
    values = read_settings(given, start=before.starts_at, of_file=set(said.given) - set(options))
    taken_back = cleared(ctx.params["clear"], before.slug, alerts)
    twice = set(values) & set(taken_back)
    if twice:
        name = next(setting.name for setting in SETTINGS if setting.field in twice).replace("_", "-")
        raise UsageError(f"--clear {name} takes back what is set as well", hint="give one of them")
    values |= taken_back
    for field, what in (("vips", "vip"), ("ignores", "ignore")):
        more = read_accounts(ctx.params[f"add_{what}"], f"--add-{what}")
        less = read_accounts(ctx.params[f"remove_{what}"], f"--remove-{what}")
        if more or less:
            kept = (*values.get(field, getattr(before, field)), *more)
            values[field] = tuple(name for name in dict.fromkeys(kept) if name not in less)
    return values


def tweet_category(text: str) -> TweetCategory:
    """The category that a word means. Raises UsageError that lists them."""
    try:
        return category_of(text) if text.strip() else category_of("?")
    except NotATweet as reason:
        raise UsageError(f"--category: {reason}") from None


def public_values(campaign: Campaign) -> dict[str, Any]:
    """The fields that `checked` looks at."""
    names = ("channels", "slack_webhook", "client_email")
    return {name: getattr(campaign, name) for name in names}


def tweet_id_of(text: str) -> str:
    """The tweet that an argument names. Raises UsageError."""
    try:
        return tweet_id(text)
    except NotATweet as reason:
        raise UsageError(f"{printable(text)[:80]}: {reason}") from None


def checked(built: Bootstrap, values: dict[str, Any]) -> dict[str, Any]:
    """Settings whose channels exist and whose addresses may be sent to. Raises UsageError."""
    channels = channels_of(built)
    if texts := values.get("channels"):
        values = {**values, "channels": tuple(_receiver(text, channels) for text in texts)}
    if webhook := values.get("slack_webhook"):
        channels["slack"].check(webhook)
    if email := values.get("client_email"):
        values = {**values, "client_email": channels["email"].check(email)}
    return values


def _receiver(text: str, channels: Mapping[str, Channel]) -> str:
    """A receiver whose channel exists, named as the table does, and whose address may be sent to. Raises UsageError."""
    receiver = parse_receiver(text)
    name = one_of(receiver.channel, channels, "channel")
    if receiver.address:
        channels[name].check(receiver.address)
    return name + text.strip()[len(name) :]


@contextmanager
def verifying(run: Run, built: Bootstrap, db: Db, *, wanted: bool) -> Iterator[Verifier | None]:
    """What looks tweets up at the provider; None when not wanted. Raises ConfigError without a key."""
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


def options_of(ctx: typer.Context) -> dict[str, Any]:
    """The settings that were named on the command line, by name."""
    names = {setting.name: setting.option or setting.name for setting in SETTINGS} | {DAYS: DAYS}
    values = {name: ctx.params.get(option) for name, option in names.items()}
    return {name: value for name, value in values.items() if value is not None and value != []}


def show_list(run: Run, rows: Sequence[CampaignTotals], *, now: datetime) -> None:
    """A row for each campaign."""
    if not rows:
        run.info("no campaign: socap campaign add SLUG --from FILE")
        return
    names = ("slug", "status", "tweets", "engagements", "important", "views", "alerts", "ends", "name")
    drop = ("name", "alerts", "views", "important", "ends", "engagements", "tweets")
    shown = (
        [
            row.campaign.slug, row.campaign.status.value, row.tweets, row.engagements, row.important, row.views,
            row.alerts_sent, _end(row.campaign, now), row.campaign.name,
        ]
        for row in rows
    )  # fmt: skip
    tables.show(tables.Columns(names, numbers=names[2:7], cut=("name",), drop=drop), shown, now=now)


def _end(campaign: Campaign, now: datetime) -> datetime | None:
    """When it ends or ended; nothing for one that was completed before its time."""
    early = campaign.status is CampaignStatus.COMPLETED and campaign.ends_at and campaign.ends_at > now
    return None if early else campaign.ends_at


def totals_row(row: CampaignTotals) -> dict[str, Any]:
    """A campaign with its totals, for a program."""
    totals = {
        name: getattr(row, name) for name in ("tweets", "engagements", "important", "views", "alerts_sent")
    }
    return {**public_campaign(row.campaign), **totals}


def watched_row(tweet: CampaignTweet, state: TweetState, look: Look | None) -> dict[str, Any]:
    """A tweet with its counters and its next look, for a program."""
    when = {"at": look.at, "lists": sorted(look.lists), "why": look.why} if look else None
    return {**tweet_row(tweet), "counters": dict(state.counters), "next_look": when}


def show_campaign(
    campaign: Campaign,
    tweets: Sequence[CampaignTweet],
    states: Mapping[str, TweetState],
    *,
    looks: Mapping[str, Look],
    now: datetime,
) -> None:
    """A campaign's settings, and a row for each tweet."""
    public = public_campaign(campaign)
    pairs = (
        (label, value_text(public[field]))
        for field, label in LABELS.items()
        if public[field] not in (None, ()) and public[field] is not False
    )
    tables.pairs(pairs, title=campaign.name)
    columns = ("tweet", "category", "author", "posted", *COUNTERS, "next look", "why", "text")
    tables.show(
        tables.Columns(
            columns,
            numbers=COUNTERS,
            cut=("text", "why"),
            drop=("text", "why", "posted", *reversed(COUNTERS), "next look", "category"),
        ),
        (
            [
                tweet.tweet_id,
                tweet.category.short,
                f"@{tweet.author_username}" if tweet.author_username else None,
                tweet.posted_at,
                *(states[tweet.tweet_id].counters.get(name) for name in COUNTERS),
                *_look_cells(looks.get(tweet.tweet_id), now),
                shortened(tweet.text) if tweet.text else None,
            ]
            for tweet in tweets
        ),
        now=now,
    )


def _look_cells(look: Look | None, now: datetime) -> tuple[str | None, str | None]:
    """When, and why then."""
    if look is None:
        return None, None
    return ("due" if look.at <= now else since(look.at, now)), look.why


def without_end(campaign: Campaign) -> list[str]:
    """A warning for a campaign that nobody ends."""
    if campaign.ends_at is not None or campaign.stop_when_cold:
        return []
    return [
        f"{campaign.slug} has no end: it is collected, and paid for, until you end it "
        f"(socap campaign edit {campaign.slug} --days N, or --stop-when-cold)"
    ]


def already_over(campaign: Campaign, now: datetime) -> list[str]:
    """A warning for a window that lies in the past."""
    if campaign.ends_at is None or campaign.ends_at > now:
        return []
    return [
        f"the window of {campaign.slug} ended at {campaign.ends_at:%Y-%m-%d %H:%M}: one last cycle is due"
    ]


def added_row(result: AddResult) -> dict[str, Any]:
    """What became of every line, for a program."""
    return {
        "slug": result.slug,
        "tweets_added": result.tweets_added,
        "tweets_already_there": result.tweets_already_there,
        "accepted": [accepted_row(one) for one in result.accepted],
        "rejected": [asdict(one) for one in result.rejected],
    }


def accepted_row(one: Accepted) -> dict[str, Any]:
    """A tweet that was taken, for a program."""
    return {"line": one.line, "new": one.is_new, **tweet_row(one.tweet)}


def tweet_row(tweet: CampaignTweet) -> dict[str, Any]:
    """A tweet of a campaign, for a program."""
    return {**asdict(tweet), "category": tweet.category.short}


def tell_lines(run: Run, accepted: Sequence[Accepted], rejected: Sequence[Rejected]) -> None:
    """A line for each line of the input."""
    told = [(one.line, _accepted_line(one)) for one in accepted]
    told += [(one.line, f"rejected: line {one.line}: {one.text}: {one.reason}") for one in rejected]
    for _, line in sorted(told, key=lambda pair: pair[0]):
        run.info(one_line(line))


def _accepted_line(one: Accepted) -> str:
    tweet = one.tweet
    who = f" @{tweet.author_username}" if tweet.author_username else ""
    when = f" {tweet.posted_at:%Y-%m-%d %H:%M}" if tweet.posted_at else ""
    said = f" {shortened(tweet.text)!r}" if tweet.text else ""
    what = "accepted" if one.is_new else "already there"
    return f"{what}: line {one.line}: {tweet.tweet_id} {tweet.category.short}{who}{when}{said}"


def shortened(text: str) -> str:
    """The beginning of what a stranger wrote, as one line."""
    plain = one_line(text)
    return plain if len(plain) <= TEXT_SHOWN else f"{plain[: TEXT_SHOWN - 1]}…"


def added_line(result: AddResult, *, dry_run: bool = False) -> str:
    """How many tweets were taken, or would be."""
    tweets = counted(result.tweets_added, "tweet")
    parts = [f"would add {tweets}" if dry_run else f"{tweets} added"]
    if result.tweets_already_there:
        parts.append(f"{result.tweets_already_there:,} already there")
    if result.rejected:
        parts.append(f"{len(result.rejected):,} rejected")
    return f"{result.slug}: {', '.join(parts)}"


def changes_row(changes: Sequence[Difference]) -> list[dict[str, Any]]:
    """Changed settings, for a program."""
    return [{"field": one.name, "before": one.before, "after": one.after} for one in changes]


def change_lines(changes: Sequence[Difference]) -> list[str]:
    """A line for each changed setting."""
    return [
        f"{one.name.replace('_', ' ')}: {value_text(one.before)} → {value_text(one.after)}" for one in changes
    ]


def value_text(value: Any) -> str:
    """A setting's value on a line."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return tables.cell_text(value)


def edited_row(
    campaign: Campaign, changes: Sequence[Difference], added: AddResult, *, dry_run: bool
) -> dict[str, Any]:
    """What `edit` did, for a program."""
    tweets = {name: value for name, value in added_row(added).items() if name != "slug"}
    return {
        "campaign": public_campaign(campaign),
        "changed": [one.name for one in changes],
        "changes": changes_row(changes),
        **tweets,
        "dry_run": dry_run,
    }


def show_changes(run: Run, changes: Sequence[Difference], added: AddResult, *, dry_run: bool) -> None:
    """A line for each setting that is another now."""
    would = "would change " if dry_run else ""
    lines = [f"{would}{line}" for line in change_lines(changes)]
    if added.accepted or added.rejected:
        lines.append(added_line(added, dry_run=dry_run))
    for line in lines or ["nothing changed: it was so before"]:
        run.print(line)


def show_plan(run: Run, planned: Plan, *, dry_run: bool) -> None:
    """What applying a file did or would do."""
    for line in plan_lines(planned):
        run.print(line)
    slug = planned.after.slug
    if planned.is_empty:
        run.print(f"{slug}: nothing to change")
    elif planned.before is None:
        run.print(f"{slug}: {'would be created' if dry_run else 'created'}")
    else:
        run.print(f"{slug}: {'would be changed' if dry_run else 'changed'}")


def deletion_line(slug: str, done: Deletion, *, dry_run: bool) -> str:
    """What a deletion took away and left."""
    return (
        f"{'would delete' if dry_run else 'deleted'} {slug} with {counted(done.tweets, 'tweet')}; "
        f"{counted(done.engagements_left, 'engagement')} stay, and so do the counters over time"
    )


def plan_lines(planned: Plan) -> list[str]:
    """What applying a file does, a line each."""
    lines = [f"~ {line}" for line in change_lines(planned.changes)] if planned.before else []
    lines += [f"+ tweet {entry.tweet_id} ({entry.category.short})" for entry in planned.new]
    lines += [
        f"~ tweet {one.tweet_id}: {one.before.short} → {one.after.short}" for one in planned.recategorized
    ]
    lines += [f"- tweet {tweet.tweet_id} ({tweet.category.short})" for tweet in planned.removed]
    return lines


def plan_row(planned: Plan, done: ApplyResult | None) -> dict[str, Any]:
    """What applying a file did or would do, for a program."""
    return {
        "slug": planned.after.slug,
        "created": planned.before is None,
        "changed": not planned.is_empty,
        "changes": changes_row(planned.changes),
        "tweets_added": sum(one.is_new for one in done.accepted) if done else len(planned.new),
        "tweets_removed": [tweet.tweet_id for tweet in planned.removed],
        "tweets_recategorized": [
            {"tweet_id": one.tweet_id, "before": one.before.short, "after": one.after.short}
            for one in planned.recategorized
        ],
        "rejected": [asdict(one) for one in (done.rejected if done else planned.rejected)],
        "dry_run": done is None,
    }


def tell_added(run: Run, result: AddResult, warnings: list[str], *, dry_run: bool) -> None:
    """A line for each line of the input, then how many."""
    tell_lines(run, result.accepted, result.rejected)
    run.done(
        {**added_row(result), "dry_run": dry_run},
        text=added_line(result, dry_run=dry_run),
        warnings=[*warnings, *result.warnings],
        exit_code=PARTLY_DONE if result.rejected else 0,
    )
