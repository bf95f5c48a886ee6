"""Read what a message is to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from socap_cli.alerts.compose import Background, compose
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.importance_faults import told_unreadable
from socap_cli.alerts.plan import is_vip
from socap_cli.model.alert import ClaimedMessage, Delivery
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.model.important import fold_handle
from socap_cli.model.message import Message
from socap_cli.store import (
    alert_history,
    campaigns,
    engagement_view,
    engagements,
    importance,
    important_people,
)

Found = TypeVar("Found")
SHOWN = 3
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Gone(Exception):
    """What a message was to tell is not there any more, or, a fault, cannot be read."""

    def __init__(self, said: str, *, is_fault: bool = False) -> None:
        super().__init__(said)
        self.is_fault = is_fault


@dataclass(frozen=True, slots=True)
class Loaded:
    """A message, and the rows of it that it cannot tell."""

    message: Message
    unreadable: tuple[Delivery, ...]
    gone: tuple[Delivery, ...]
    problems: tuple[str, ...] = ()
    """What it could not say, and why."""


def load_message(context: AlertContext, claimed: ClaimedMessage) -> Loaded:
    """A message with everything that it says. Raises Gone when nothing of that is there."""
    rows = alert_history.of_message(context.db, claimed.message_id)
    ids = [row.engagement_id for row in rows]
    told = engagements.of_ids(context.db, ids)
    campaign = campaigns.find(context.db, claimed.campaign_id)
    if campaign is None:
        is_there = campaigns.exists(context.db, claimed.campaign_id)
        raise Gone("its campaign cannot be read" if is_there else "its campaign is gone", is_fault=is_there)
    readable = {one.engagement_id for one in told}
    stored = engagements.existing(context.db, [key for key in ids if key not in readable])
    problems: list[str] = []
    if not told:
        raise Gone(
            "its engagements cannot be read" if stored else "its engagements are gone", is_fault=bool(stored)
        )
    return Loaded(
        compose(claimed, told, campaign, background(context, campaign, told, problems)),
        tuple(row for row in rows if row.engagement_id in stored),
        tuple(row for row in rows if row.engagement_id not in readable | stored),
        tuple(dict.fromkeys(problems)),
    )


def background(
    context: AlertContext, campaign: Campaign, told: Sequence[Engagement], problems: list[str]
) -> Background:
    """What is known beside these engagements of a campaign; what cannot be read is told in `problems`."""
    page = context.report_url
    return Background(
        tweets=_tweets(context, campaign, told),
        vips=frozenset(one.profile.user_id for one in told if is_vip(campaign, one.profile.username)),
        followers=_readable(lambda: _followers(context, told), problems),
        organisations=_readable(lambda: _organisations(context, campaign, told), problems),
        report_url=f"{page.rstrip('/')}/{campaign.slug}.html" if page else "",
    )


def _readable(read: Callable[[], dict[str, Found]], problems: list[str]) -> dict[str, Found]:
    try:
        return read()
    except Exception as error:
        problems.append(told_unreadable(error))
        return {}


def _tweets(
    context: AlertContext, campaign: Campaign, told: Sequence[Engagement]
) -> dict[str, CampaignTweet]:
    """The campaign's own entry of each tweet; of one that left it none."""
    found = campaigns.with_tweets(context.db, (one.tweet_id for one in told))
    own = {
        tweet_id: [t for t in tweets if t.campaign_id == campaign.slug] for tweet_id, tweets in found.items()
    }
    return {tweet_id: tweets[0] for tweet_id, tweets in own.items() if tweets}


def _followers(
    context: AlertContext, told: Sequence[Engagement]
) -> dict[str, tuple[int, tuple[tuple[str, float], ...]]]:
    """How many important people follow each account, and the heaviest of them, as the index says today."""
    people = {one.profile.user_id: one.profile.username for one in told}
    entries = importance.find(context.db, context.names, list(people.items()))
    found = {}
    for user_id, entry in zip(people, entries, strict=True):
        if entry is not None and entry.followers:
            heaviest = sorted(entry.followers, key=lambda f: (-f.weight, fold_handle(f.username)))[:SHOWN]
            found[user_id] = (len(entry.followers), tuple((f.username, f.weight) for f in heaviest))
    return found


def _organisations(context: AlertContext, campaign: Campaign, told: Sequence[Engagement]) -> dict[str, str]:
    """ "third of Fund Z in this campaign": by the firm's list, else by what a bio names."""
    listed = important_people.find(context.db, context.names, [one.profile.username for one in told])
    wanted: dict[str, str] = {}
    for one in told:
        person = listed.get(fold_handle(one.profile.username))
        own = person.organisation if person and person.organisation else None
        if name := own or next(iter(one.organisations), None):
            wanted[one.profile.user_id] = name
    if not wanted:
        return {}
    tweet_ids = campaigns.tweet_ids_of(context.db, campaign.slug)
    ranks = {}
    for name in set(wanted.values()):
        members = important_people.members_of(context.db, context.names, name)
        ranks[name] = engagement_view.order_of_organisation(context.db, tweet_ids, name, members)
    return {
        user_id: said
        for user_id, name in wanted.items()
        if (said := organisation_note(name, ranks[name], user_id))
    }


def organisation_note(name: str, order: Sequence[str], user_id: str) -> str:
    """Which one of an organisation's people this is, by when they were first seen."""
    place = order.index(user_id) + 1 if user_id in order else 0
    if not place:
        return f"of {name}"
    ordinal = ORDINALS[place] if place < len(ORDINALS) else f"number {place}"
    return f"{ordinal} of {name} in this campaign"
