"""Try channels out: a plain line, or a sample of a campaign's alerts."""

from __future__ import annotations

from dataclasses import replace

from socap_cli.alerts.compose import background, compose
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.rules import Target, default_campaign
from socap_cli.channels.common import Templates
from socap_cli.errors import ConfigError, UsageError
from socap_cli.model.account import Profile
from socap_cli.model.alert import ClaimedMessage
from socap_cli.model.campaign import Campaign
from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.message import Message, MessageKind
from socap_cli.store import campaigns, engagements
from socap_cli.store.engagements import Selection

PLAIN_LINE = "socap test message: this channel works."


def targets_to_try(context: AlertContext, channel: str | None, campaign: Campaign | None) -> list[Target]:
    """The recipients of a channel or of all, those of a campaign. Raises when there is none."""
    channel = channel.lower() if channel else None
    if channel and channel not in context.channels:
        raise UsageError(f"no channel {channel!r}", hint=f"there are {', '.join(context.channels)}")
    found = context.targets_of(campaign or default_campaign(context.now())).found
    targets = {target.address_id: target for target in found if channel in (None, target.channel)}
    if targets:
        return list(targets.values())
    if channel:
        raise ConfigError(context.channels[channel].missing)
    raise ConfigError(
        "no channel is configured",
        hint="set SOCAP_ALERT_SLACK_WEBHOOK, or SOCAP_ALERT_EMAIL_SMTP and SOCAP_ALERTS__EMAIL_TO",
    )


def sample(context: AlertContext, campaign: Campaign) -> Message:
    """A message about the campaign's most important engagement, or a made-up one."""
    tweet_ids, now = campaigns.tweet_ids_of(context.db, campaign.slug), context.now()
    found = list(engagements.listed(context.db, Selection(tweet_ids, present=True), limit=1))
    if not found:
        found = [
            Engagement(
                engagement_id="sample",
                tweet_id=tweet_ids[0] if tweet_ids else "20",
                action_type="reply",
                source_id="20",
                profile=Profile(
                    "12", "sample", "Sample Person", "Partner at Sample Fund", 12_345, verified=True
                ),
                importance=Importance(42.0, (("important", 12.0), ("also_important", 8.0))),
                categories=("investors",),
                first_seen_at=now,
                last_seen_at=now,
                backfill=False,
                engaged_at=now,
                text="This is what the text of a reply looks like.",
            )
        ]
    message_id = f"sample-{campaign.slug}-{now:%Y%m%d%H%M%S}"
    claimed = ClaimedMessage(message_id, campaign.slug, "", "", MessageKind.PERSON, now)
    message = compose(claimed, [found], campaign, background(context, campaign, found, []))
    return replace(message, title=f"Sample: {message.title}")


def as_text(context: AlertContext, message: Message) -> str:
    """A message in plain text, by the operator's templates or ours. Raises MessageRefused."""
    templates = Templates(context.settings.templates)
    title = templates.render("subject.txt", message).strip()
    return f"{title}\n\n{templates.render('plain.txt', message)}"


def try_out(context: AlertContext, target: Target, message: Message | None) -> Exception | None:
    """Send a message, or a plain line, now; returns what failed."""
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
