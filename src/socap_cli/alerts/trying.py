"""Try channels out: a plain line, or a sample of what a campaign would be told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from socap_cli.alerts.compose import background, compose
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.rules import Target, nobody, targets_of
from socap_cli.channels.common import Templates
from socap_cli.errors import ConfigError, UsageError
from socap_cli.model.account import Profile
from socap_cli.model.alert import ClaimedMessage
from socap_cli.model.campaign import Campaign
from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.kinds import LISTS, METRICS
from socap_cli.model.message import Message, MessageKind
from socap_cli.store import campaigns, engagements
from socap_cli.store.engagements import Selection

PLAIN_LINE = "socap test message: this channel works."
SAMPLE_IS_ONE = "Sample: "


@dataclass(frozen=True, slots=True)
class Tried:
    """A receiver, and what came of it."""

    target: Target
    error: Exception | None = None


def targets_to_try(context: AlertContext, channel: str | None, campaign: Campaign | None) -> list[Target]:
    """Whom a test goes to: the receivers of a channel or of all, those of a campaign. Raises when there is nobody."""
    channel = channel.lower() if channel else None
    if channel and channel not in context.channels:
        raise UsageError(f"no channel {channel!r}", hint=f"there are {', '.join(context.channels)}")
    found = targets_of(campaign or nobody(context.now()), context.channels, context.usual_receivers).found
    once = {target.address_id: target for target in found if channel in (None, target.channel)}
    wanted = list(once.values())
    if not wanted:
        if channel:
            raise ConfigError(context.channels[channel].missing)
        raise ConfigError(
            "no channel is configured",
            hint="set SOCAP_ALERT_SLACK_WEBHOOK, or SOCAP_ALERT_EMAIL_SMTP and SOCAP_ALERTS__EMAIL_TO",
        )
    return wanted


def sample(context: AlertContext, campaign: Campaign) -> Message:
    """What this campaign is told, by its most important engagement, or by a made-up one."""
    tweet_ids = campaigns.tweet_ids_of(context.db, campaign.slug)
    found = list(engagements.listed(context.db, Selection(tweet_ids, present=True), limit=1))
    one = found[0] if found else _made_up(context, tweet_ids)
    now = context.now()
    claimed = ClaimedMessage(
        f"sample-{campaign.slug}-{now:%Y%m%d%H%M%S}",
        campaign.slug,
        "",
        "",
        MessageKind.PERSON,
        False,
        now,
        1,
        0,
        "",
    )
    message = compose(claimed, [one], campaign, background(context, campaign, [one], []))
    return replace(message, title=f"{SAMPLE_IS_ONE}{message.title}")


def _made_up(context: AlertContext, tweet_ids: list[str]) -> Engagement:
    now = context.now()
    kind = next(kind for name, kind in LISTS.items() if name != METRICS and kind.is_post)
    return Engagement(
        engagement_id="sample",
        tweet_id=tweet_ids[0] if tweet_ids else "20",
        action_type=kind.action_type,
        source_id="20",
        profile=Profile("12", "sample", "Sample Person", "Partner at Sample Fund", 12_345, verified=True),
        importance=Importance(42.0, (("important", 12.0), ("also_important", 8.0))),
        categories=("investors",),
        first_seen_at=now,
        last_seen_at=now,
        backfill=False,
        engaged_at=now,
        text="This is what the text of a reply looks like.",
    )


def as_text(context: AlertContext, message: Message) -> str:
    """A message as the operator's templates, or ours, tell it in plain text. Raises MessageRefused."""
    templates = Templates(context.settings.templates)
    title = templates.render("subject.txt", message).strip()
    return f"{title}\n\n{templates.render('plain.txt', message)}"


def try_out(context: AlertContext, targets: list[Target], message: Message | None) -> list[Tried]:
    """Send to each; one that fails leaves the others be."""
    return [Tried(target, _try(context, target, message)) for target in targets]


def _try(context: AlertContext, target: Target, message: Message | None) -> Exception | None:
    channel = context.channels[target.channel]
    try:
        address = channel.check(target.address)
        if message is None:
            channel.notify(address, PLAIN_LINE)
        else:
            channel.send(address, message)
    except Exception as error:
        return error
    return None
