"""From what is stored to what a message says. Pure; what strangers wrote is cleaned here once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from socap_cli.model import cleaning, links
from socap_cli.model.alert import ClaimedMessage
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.model.kinds import LISTS
from socap_cli.model.labels import OTHERS
from socap_cli.model.message import Message, MessageKind, ToldEngagement, ToldPerson

MOST_OF_A_PERSON = 5
MOST_IN_A_DIGEST = 2
LONGEST_TEXT = 280
LONGEST_BIO = 160
LONGEST_NAME = 80
FIRST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Background:
    """What is known beside the engagements."""

    tweets: Mapping[str, CampaignTweet]
    """By tweet id."""
    vips: frozenset[str] = frozenset()
    """User ids."""
    followers: Mapping[str, tuple[int, tuple[tuple[str, float], ...]]] = field(default_factory=dict)
    """By user id: how many important followers there are, and the heaviest of them."""
    organisations: Mapping[str, str] = field(default_factory=dict)
    """By user id: "third of Fund Z in this campaign"."""
    report_url: str = ""
    """The campaign's page; behind `#q=` it shows what one account did."""


def compose(
    message: ClaimedMessage, engagements: Sequence[Engagement], campaign: Campaign, known: Background
) -> Message:
    """A message that tells these engagements, the most important person first."""
    by_person: dict[str, list[Engagement]] = {}
    for one in engagements:
        by_person.setdefault(one.profile.user_id, []).append(one)
    most = MOST_OF_A_PERSON if message.kind is MessageKind.PERSON else MOST_IN_A_DIGEST
    people = [_person(found, known, most) for found in by_person.values()]
    people.sort(key=lambda person: (not person.is_vip, -(person.score or 0.0), person.user_id))
    name = _name(campaign.name) or campaign.slug
    return Message(
        message_id=message.message_id,
        kind=message.kind,
        campaign_id=campaign.slug,
        campaign_name=name,
        title=f"{name}: {_headline(message.kind, people)}",
        people=tuple(people),
        thread=f"{campaign.slug}-{message.created_at:%Y%m%d}",
        created_at=message.created_at,
        may_be_repeated=message.repeats > 0,
        report_url=known.report_url,
    )


def _headline(kind: MessageKind, people: Sequence[ToldPerson]) -> str:
    count = f"{len(people):,} important {'person' if len(people) == 1 else 'people'}"
    if kind is MessageKind.BACKLOG:
        return f"{count} had engaged before monitoring began"
    if len(people) > 1:
        return f"{count} engaged: {_named(people)}"
    first = people[0]
    return f"{'VIP ' if first.is_vip else ''}{first.name} (@{first.username}) {first.deed}"


def _named(people: Sequence[ToldPerson]) -> str:
    names = ", ".join(f"@{person.username}" for person in people[:FIRST_NAMED])
    more = len(people) - FIRST_NAMED
    return f"{names} and {more:,} more" if more > 0 else names


def _person(engagements: Sequence[Engagement], known: Background, most: int) -> ToldPerson:
    newest = max(engagements, key=lambda one: one.first_seen_at)
    profile, importance = newest.profile, newest.importance
    told = sorted(engagements, key=lambda one: (one.at, one.engagement_id))[:most]
    count, reasons = known.followers.get(profile.user_id, (len(importance.reasons), importance.reasons))
    username = _name(profile.username)
    return ToldPerson(
        user_id=_name(profile.user_id),
        username=username,
        name=_name(profile.name) or f"@{username}",
        url=links.profile_url(profile),
        score=importance.score,
        engagements=tuple(_engagement(one, known) for one in told),
        is_vip=profile.user_id in known.vips,
        is_verified=profile.verified,
        followers=profile.followers,
        bio=cleaning.one_line(profile.bio, limit=LONGEST_BIO),
        labels=tuple(label.replace("_", " ") for label in newest.categories if label != OTHERS),
        reasons=tuple((_name(who), weight) for who, weight in reasons or importance.reasons),
        important_followers=count,
        organisation=_name(known.organisations.get(profile.user_id, "")),
        report_url=f"{known.report_url}#q={quote(username, safe='', errors='replace')}"
        if known.report_url
        else "",
        left_out=len(engagements) - len(told),
    )


def _name(text: str) -> str:
    return cleaning.one_line(text, limit=LONGEST_NAME)


def _engagement(one: Engagement, known: Background) -> ToldEngagement:
    tweet = known.tweets.get(one.tweet_id)
    author = tweet.author_username if tweet else None
    is_named = bool(author) and links.HANDLE.fullmatch(author or "")
    return ToldEngagement(
        engagement_id=one.engagement_id,
        action_type=one.action_type,
        verb=_verb(one.action_type),
        url=links.engagement_url(one),
        tweet_id=one.tweet_id,
        tweet_url=links.tweet_url(one.tweet_id, author),
        tweet_label=f"@{author}'s tweet" if is_named else "a tweet",
        tweet_category=tweet.category.short if tweet else "",
        at=one.at,
        text="" if one.removed_at else cleaning.text(one.text or "", limit=LONGEST_TEXT),
        taken_back=one.removed_at is not None,
    )


def _verb(action_type: str) -> str:
    return next((kind.verb for kind in LISTS.values() if kind.action_type == action_type), "engaged with")
