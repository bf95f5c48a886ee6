"""What the options and files of `socap campaign` say together, judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_client, open_provider
from socap_cli.bootstrap.telling import channels_of
from socap_cli.campaigns.adding import Verifier
from socap_cli.campaigns.categories import category_of
from socap_cli.campaigns.document import clearing, read_document
from socap_cli.campaigns.settings import SETTINGS, cleared, over_file, read_settings
from socap_cli.campaigns.source import from_options, read
from socap_cli.campaigns.trees import Line
from socap_cli.campaigns.urls import tweet_id
from socap_cli.campaigns.values import read_accounts
from socap_cli.channels import Channel
from socap_cli.cli.campaign_options import options_of
from socap_cli.cli.options import one_of
from socap_cli.cli.run import Run
from socap_cli.config import Alerts
from socap_cli.errors import NotATweet, UsageError
from socap_cli.files.reading import display_name, printable, read_text
from socap_cli.model.campaign import Campaign, TweetCategory
from socap_cli.model.receiver import parse_receiver
from socap_cli.store import Db


@dataclass(frozen=True, slots=True)
class Input:
    """What options and a file say together; an option wins over the file."""

    given: dict[str, Any]
    """Settings by name, those of a TOML file."""
    lines: list[Line]


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
