"""The options of `socap campaign`, named once, and what they say together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any, get_args, get_origin

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_client, open_provider
from socap_cli.bootstrap.telling import channels_of
from socap_cli.campaigns.adding import Verifier
from socap_cli.campaigns.categories import category_of
from socap_cli.campaigns.document import clearing, read_document
from socap_cli.campaigns.settings import DAYS, SETTINGS, cleared, over_file, read_settings
from socap_cli.campaigns.source import from_options, read
from socap_cli.campaigns.trees import Line
from socap_cli.campaigns.urls import tweet_id
from socap_cli.campaigns.values import read_accounts
from socap_cli.channels import Channel
from socap_cli.channels.table import CHANNELS
from socap_cli.cli.options import one_of
from socap_cli.cli.rhythm_options import CadenceOption, Digest, QuietHours, StopWhenCold
from socap_cli.cli.run import Run
from socap_cli.config import Alerts
from socap_cli.errors import NotATweet, UsageError
from socap_cli.files.reading import display_name, printable, read_text
from socap_cli.model import Campaign, TweetCategory
from socap_cli.model.receiver import parse_receiver
from socap_cli.store import Db

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


@dataclass(frozen=True, slots=True)
class Input:
    """What options and a file say together; an option wins over the file."""

    given: dict[str, Any]
    """Settings by name, those of a TOML file."""
    lines: list[Line]


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


def _is_list(kind: Any) -> bool:
    return get_origin(get_args(kind)[0]) is list


def options_of(ctx: typer.Context) -> dict[str, Any]:
    """The settings that were named on the command line, by name."""
    names = {setting.name: setting.option or setting.name for setting in SETTINGS} | {DAYS: DAYS}
    values = {name: ctx.params.get(option) for name, option in names.items()}
    return {name: value for name, value in values.items() if value is not None and value != []}


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
