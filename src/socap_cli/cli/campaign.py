"""socap campaign …"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from socap_cli.alerts import mail, slack
from socap_cli.bootstrap import Bootstrap
from socap_cli.campaigns import estimate as rules
from socap_cli.campaigns import register, urls
from socap_cli.campaigns import source as reading
from socap_cli.campaigns.register import AddResult
from socap_cli.campaigns.source import Line
from socap_cli.cli import output, tables
from socap_cli.cli.options import Slug, Yes, moment
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.client.metered import MeteredClient
from socap_cli.errors import SocapError, UsageError
from socap_cli.files.pasted import NotAHandle, handles
from socap_cli.files.reading import display_name, read_text
from socap_cli.model import Campaign, CampaignStatus
from socap_cli.model.alert import Channel
from socap_cli.store import Db, campaigns, usage, worker_state

app = typer.Typer(help="Register campaigns and their tweets.", no_args_is_help=True)

Tweets = Annotated[
    list[str],
    typer.Option(
        "--tweet",
        metavar="URL[=CATEGORY]",
        help="A tweet; may be repeated. Categories: client, influencer, investor.",
    ),
]
Source = Annotated[
    str,
    typer.Option(
        "--from", metavar="FILE|-", help="Text (a URL a line), CSV (url,category) or TOML; - is stdin."
    ),
]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Do not look the tweets up at the provider.")]
Name = Annotated[str, typer.Option(help="A name for people.")]
Start = Annotated[str, typer.Option(metavar="ISO", help="When collecting starts (default: now).")]
End = Annotated[str, typer.Option(metavar="ISO", help="When it ends.")]
Days = Annotated[float | None, typer.Option(min=0, help="How many days it lasts, instead of --end.")]
Threshold = Annotated[
    float | None, typer.Option(min=0, help="Importance from which an engagement is alerted.")
]
Channels = Annotated[
    list[str],
    typer.Option(
        "--channel",
        metavar="slack|email",
        help="Where alerts go; may be repeated (default: all that are configured).",
    ),
]
Webhook = Annotated[str, typer.Option(help="The campaign's own Slack webhook; wins over the global one.")]
ClientName = Annotated[str, typer.Option(help="Whose campaign it is.")]
ClientEmail = Annotated[str, typer.Option(help="Mailed as well when --channel email is given.")]
Vips = Annotated[
    list[str],
    typer.Option("--vip", metavar="@NAME", help="Alerted at once, whatever the importance; may be repeated."),
]
Ignores = Annotated[
    list[str], typer.Option("--ignore", metavar="@NAME", help="Never alerted; may be repeated.")
]
Spacing = Annotated[
    int | None, typer.Option(min=0, metavar="MINUTES", help="Alerts are spread over this time.")
]
Window = Annotated[
    int | None,
    typer.Option(
        "--frequency-window",
        min=0,
        metavar="MINUTES",
        help="The same person and action are told again only after this time.",
    ),
]


@app.command("add")
def add(
    ctx: typer.Context,
    slug: Slug,
    name: Name = "",
    tweet: Tweets = [],  # noqa: B006  (typer copies defaults)
    source: Source = "",
    start: Start = "",
    end: End = "",
    days: Days = None,
    threshold: Threshold = None,
    channel: Channels = [],  # noqa: B006
    slack_webhook: Webhook = "",
    client_name: ClientName = "",
    client_email: ClientEmail = "",
    vip: Vips = [],  # noqa: B006
    ignore: Ignores = [],  # noqa: B006
    spacing: Spacing = None,
    frequency_window: Window = None,
    no_verify: NoVerify = False,
) -> None:
    """Create a campaign. Every line of the input is accepted or named with a reason."""

    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now().replace(microsecond=0)
    register.check_slug(slug)
    given = _changes(
        built, starts_at=start, ends_at=end, days=days, now=now, name=name, threshold=threshold, channels=channel,
        slack_webhook=slack_webhook, client_name=client_name, client_email=client_email, vips=vip, ignores=ignore,
        spacing_minutes=spacing, frequency_window_minutes=frequency_window,
    )  # fmt: skip
    defaults: dict[str, Any] = {
        "name": slug, "starts_at": now, "ends_at": None, "channels": (),
        "threshold": built.settings.alerts.threshold, "spacing_minutes": built.settings.alerts.spacing_minutes,
        "frequency_window_minutes": built.settings.alerts.frequency_window_minutes,
    }  # fmt: skip
    campaign = Campaign(slug=slug, status=CampaignStatus.ACTIVE, created_at=now, **{**defaults, **given})
    lines = _lines(tweet, source)
    with built.database() as db, _client(run, built, db, verify=not no_verify and bool(lines)) as client:
        result = register.add(db, campaign, lines, client=client, now=now)
    _tell_added(run, result, made=True)


@app.command("add-tweets")
def add_tweets(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006
    source: Source = "",
    no_verify: NoVerify = False,
) -> None:
    """Add tweets to a campaign."""

    run: Run = ctx.obj
    built = bootstrap(run)
    lines = _lines(tweet, source)
    with built.database() as db, _client(run, built, db, verify=not no_verify) as client:
        result = register.add_tweets(db, slug, lines, client=client, now=run.now().replace(microsecond=0))
    _tell_added(run, result, made=False)


@app.command("remove-tweet")
def remove_tweet(
    ctx: typer.Context, slug: Slug, tweet: Annotated[str, typer.Argument(metavar="URL|ID")]
) -> None:
    """Take a tweet out of a campaign. What was collected stays."""

    run: Run = ctx.obj
    try:
        tweet_id = urls.tweet_id(tweet)
    except urls.NotATweet as reason:
        raise UsageError(f"{tweet}: {reason}") from None
    with bootstrap(run).database() as db:
        register.remove_tweet(db, slug, tweet_id)
    run.done({"slug": slug, "tweet_id": tweet_id}, text=f"removed tweet {tweet_id} from {slug}")


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(metavar="active|paused|completed", help="Only these.")] = "",
) -> None:
    """List campaigns."""

    run: Run = ctx.obj
    wanted = _status(status, CampaignStatus)
    with bootstrap(run).database() as db:
        found = campaigns.listed(db, wanted)
        rows = [{**_public(c), "tweets": campaigns.count_tweets(db, c.slug)} for c in found]

    def show() -> None:

        if not rows:
            run.info("no campaign yet: socap campaign add SLUG --from FILE")
            return
        columns = ("slug", "status", "tweets", "starts_at", "ends_at", "name")
        tables.show(columns, ([row[c] for c in columns] for row in rows), numbers=("tweets",))

    run.done({"campaigns": rows}, text=show)


@app.command("show")
def show(ctx: typer.Context, slug: Slug) -> None:
    """Show a campaign, its tweets and how complete they are."""

    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        campaign = register.find(db, slug)
        tweets = campaigns.tweets_of(db, slug)
        states = worker_state.load(db, [t.tweet_id for t in tweets])
    rows = [{**asdict(t), "counters": dict(states[t.tweet_id].counters)} for t in tweets]

    def draw() -> None:

        tables.pairs(
            ((k, v) for k, v in _public(campaign).items() if v not in (None, (), [])), title=campaign.name
        )
        columns = ("tweet_id", "category", "author", "retweets", "replies", "quotes", "likes", "views")
        numbers = columns[3:]
        tables.show(
            columns,
            (
                [r["tweet_id"], r["category"], r["author_username"], *(r["counters"].get(n) for n in numbers)]
                for r in rows
            ),
            numbers=numbers,
        )

    run.done({"campaign": _public(campaign), "tweets": rows}, text=draw)


@app.command("edit")
def edit(
    ctx: typer.Context,
    slug: Slug,
    name: Name = "",
    start: Start = "",
    end: End = "",
    days: Days = None,
    threshold: Threshold = None,
    channel: Channels = [],  # noqa: B006
    slack_webhook: Webhook = "",
    client_name: ClientName = "",
    client_email: ClientEmail = "",
    vip: Vips = [],  # noqa: B006
    ignore: Ignores = [],  # noqa: B006
    spacing: Spacing = None,
    frequency_window: Window = None,
) -> None:
    """Change a campaign's settings; what is not named stays. A later end opens its window again."""

    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        before = register.find(db, slug)
        changes = _changes(
            built, starts_at=start, ends_at=end, days=days, now=before.starts_at, name=name, threshold=threshold,
            channels=channel, slack_webhook=slack_webhook, client_name=client_name, client_email=client_email,
            vips=vip, ignores=ignore, spacing_minutes=spacing, frequency_window_minutes=frequency_window,
        )  # fmt: skip
        if not changes:
            raise UsageError("nothing to change", hint="name what to change: socap campaign edit --help")
        campaign = register.edit(db, slug, changes)
    run.done(
        {"campaign": _public(campaign), "changed": sorted(changes)},
        text=f"changed {', '.join(sorted(changes))}",
    )


@app.command("pause")
def pause(ctx: typer.Context, slug: Slug) -> None:
    """Stop collecting until `resume`."""
    _set_status(ctx.obj, slug, "paused")


@app.command("resume")
def resume(ctx: typer.Context, slug: Slug) -> None:
    """Collect again."""
    _set_status(ctx.obj, slug, "active")


@app.command("complete")
def complete(ctx: typer.Context, slug: Slug) -> None:
    """End a campaign now."""
    _set_status(ctx.obj, slug, "completed")


@app.command("delete")
def delete(ctx: typer.Context, slug: Slug, yes: Yes = False) -> None:
    """Delete a campaign with its tweets and jobs. What was collected stays."""

    run: Run = ctx.obj
    if not yes:
        raise UsageError(f"this deletes campaign {slug!r}", hint="say --yes to do it")
    with bootstrap(run).database() as db:
        tweets = register.delete(db, slug)
    run.done({"slug": slug, "tweets": tweets}, text=f"deleted {slug} ({tweets} tweets); engagements stay")


@app.command("estimate")
def estimate(ctx: typer.Context, slug: Slug) -> None:
    """What a day of a campaign costs in requests and money, from its size and its last day."""

    run: Run = ctx.obj
    built = bootstrap(run)
    wanted = built.settings.provider
    with built.database() as db:
        register.find(db, slug)
        tweets = campaigns.count_tweets(db, slug)
        spent = usage.last_whole_day(db, slug)
    found = rules.estimate(
        tweets, spent, batch=wanted.batch, price_tweet=wanted.price_tweet, price_minimum=wanted.price_minimum
    )
    usd = found.credits_a_day * wanted.usd_per_credit
    result = {**asdict(found), "usd_a_day": round(usd, 4)}
    text = (
        f"{tweets:,} tweets, {found.cycles_a_day} cycles a day: about {found.requests_a_day:,.0f} requests and "
        f"{found.credits_a_day:,.0f} credits (${usd:.2f}) a day; {found.basis}"
    )
    run.done(result, text=text)


def _set_status(run: Run, slug: str, status: str) -> None:

    with bootstrap(run).database() as db:
        campaign = register.set_status(db, slug, CampaignStatus(status), now=run.now())
    run.done({"campaign": _public(campaign)}, text=f"{slug} is {status}")


def _lines(tweets: Sequence[str], source: str) -> list[Line]:

    lines = reading.from_options(tweets)
    if source:
        name = display_name(source)
        lines.extend(reading.read(read_text(source), name=name))
        if not lines:
            raise UsageError(f"{name} names no tweet", hint="a URL a line is enough")
    return lines


@contextmanager
def _client(run: Run, built: Bootstrap, db: Db, *, verify: bool) -> Iterator[MeteredClient | None]:
    """The way to the provider, for looking tweets up; None when not asked for."""
    if not verify:
        yield None
        return
    try:
        built.key()
    except UsageError as error:
        raise type(error)(
            error.message, hint=f"{error.hint}, or add the tweets unchecked with --no-verify"
        ) from None
    with built.provider() as provider:
        yield built.client(db, provider, now=run.now)


def _changes(
    built: Bootstrap, *, starts_at: str, ends_at: str, days: float | None, now: datetime, channels: Sequence[str],
    slack_webhook: str, client_email: str, vips: Sequence[str], ignores: Sequence[str], **json_default: Any,
) -> dict[str, Any]:  # fmt: skip
    """Only what was named on the command line, checked."""

    changes: dict[str, Any] = {name: value for name, value in json_default.items() if value not in ("", None)}
    if starts_at:
        changes["starts_at"] = moment(starts_at, "--start")
    if ends_at and days:
        raise UsageError("--end and --days say the same thing", hint="give one of them")
    if ends_at:
        changes["ends_at"] = moment(ends_at, "--end")
    elif days:
        changes["ends_at"] = changes.get("starts_at", now) + timedelta(days=days)
    if channels:
        known = [channel.value for channel in Channel]
        unknown = [name for name in channels if name not in known]
        if unknown:
            raise UsageError(f"no channel {unknown[0]!r}", hint=f"there are {', '.join(known)}")
        changes["channels"] = tuple(dict.fromkeys(channels))
    if slack_webhook:
        changes["slack_webhook"] = slack.check_address(slack_webhook, built.settings.alerts.webhook_hosts)
    if client_email:
        changes["client_email"] = mail.check_address(client_email)
    for name, people in (("vips", vips), ("ignores", ignores)):
        if people:
            changes[name] = accounts(people, "--vip" if name == "vips" else "--ignore")
    return changes


def accounts(texts: Sequence[str], option: str) -> tuple[str, ...]:
    """The accounts that an option names, each once, in lower case. Raises UsageError."""

    try:
        found = [name.lower() for text in texts for name in handles(text)]
    except NotAHandle as reason:
        raise UsageError(f"{option}: {reason}", hint=f"as in {option} @ada") from None
    return tuple(dict.fromkeys(found))


def _tell_added(run: Run, result: AddResult, *, made: bool) -> None:
    public = {
        "slug": result.slug,
        "tweets_added": result.tweets_added,
        "tweets_already_there": result.tweets_already_there,
        "rejected": [asdict(rejected) for rejected in result.rejected],
    }
    for rejected in result.rejected:
        if not run.json:
            output.say(f"rejected: line {rejected.line}: {rejected.text}: {rejected.reason}")
    there = f", {result.tweets_already_there} already there" if result.tweets_already_there else ""
    bad = f", {len(result.rejected)} rejected" if result.rejected else ""
    what = f"campaign {result.slug}: " if made else f"{result.slug}: "
    run.done(
        public,
        text=f"{what}{result.tweets_added} tweets added{there}{bad}",
        exit_code=PARTLY_DONE if result.rejected else 0,
    )


def _public(campaign: Campaign) -> dict[str, Any]:
    row = asdict(campaign)
    row["slack_webhook"] = "set" if campaign.slack_webhook else None
    return row


def _status(text: str, kinds: Any) -> Any:
    if not text:
        return None
    try:
        return kinds(text)
    except ValueError:
        raise SocapError(
            f"no status {text!r}", hint=f"there are {', '.join(k.value for k in kinds)}"
        ) from None
