"""The options of `socap campaign`, named once, and what they say together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Annotated, Any, get_args, get_origin

import typer

from socap_cli.campaigns.settings import DAYS, SETTINGS
from socap_cli.channels.table import CHANNELS
from socap_cli.cli.rhythm_options import CadenceOption, Digest, QuietHours, StopWhenCold

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
