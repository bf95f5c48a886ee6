"""What a message says, from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import quote

from socap_cli.alerts.context import AlertContext, index_warning
from socap_cli.alerts.rules import is_vip
from socap_cli.channels.common import Templates
from socap_cli.model import cleaning, links
from socap_cli.model.account import Profile
from socap_cli.model.alert import ClaimedMessage
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import OTHERS, Engagement, Importance
from socap_cli.model.important import fold_handle
from socap_cli.model.kinds import LISTS
from socap_cli.model.message import Message, MessageEngagement, MessageKind, MessagePerson
from socap_cli.store import campaigns, connect, engagements, importance
from socap_cli.store.engagements import Selection
from socap_cli.text import counted

MOST_OF_A_PERSON = 5
MOST_IN_A_DIGEST = 2
LONGEST_TEXT = 280
LONGEST_BIO = 160
LONGEST_NAME = 80
NAMES_IN_THE_TITLE = 3
REASONS_SHOWN = 3
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Background:
    """What a message says beside the engagements."""

    tweets: Mapping[str, CampaignTweet]
    """By tweet id."""
    vips: frozenset[str] = frozenset()
    """User ids."""
    followers: Mapping[str, tuple[int, tuple[tuple[str, float], ...]]] = field(default_factory=dict)
    """By user id: how many important followers there are, and the heaviest of them."""
    organisations: Mapping[str, str] = field(default_factory=dict)
    """By user id: "third of Fund Z in this campaign"."""
    report_url: str = ""
    """The campaign's page; with `#q=` it shows what one account did."""


class Gone(Exception):
    """What a message is about was deleted or, a fault, cannot be read."""

    def __init__(self, text: str, *, is_fault: bool = False) -> None:
        super().__init__(text)
        self.is_fault = is_fault


@dataclass(frozen=True, slots=True)
class Loaded:
    """A message, and the ids of its alerts that it cannot show."""

    message: Message
    unreadable: tuple[str, ...]
    gone: tuple[str, ...]
    problems: tuple[str, ...] = ()


def load_message(context: AlertContext, claimed: ClaimedMessage) -> Loaded:
    """A message with everything that it says. Raises Gone when nothing of that is there."""
    campaign = campaigns.find(context.db, claimed.campaign_id)
    if campaign is None:
        is_there = campaigns.exists(context.db, claimed.campaign_id)
        raise Gone(
            "its campaign cannot be read" if is_there else "its campaign was deleted", is_fault=is_there
        )
    ids = claimed.engagements
    found = engagements.of_ids(context.db, list(ids.values()))
    readable = {one.engagement_id for one in found}
    stored = engagements.existing(context.db, [key for key in ids.values() if key not in readable])
    if not found:
        text = "its engagements cannot be read" if stored else "its engagements were deleted"
        raise Gone(text, is_fault=bool(stored))
    people, channel, problems = rank(found, campaign), context.channels.get(claimed.channel), list[str]()
    shown = people[: channel.most_people] if channel else people
    known = background(context, campaign, [one for own in shown for one in own], problems)
    message = compose(claimed, shown, campaign, known, left_out=len(people) - len(shown))
    restored = connect.restored_at(context.db)
    if restored and any(one.at <= restored for one in found):  # maybe sent after the backup was made
        message = replace(message, may_be_repeated=True)
    return Loaded(
        message,
        tuple(alert_id for alert_id, key in ids.items() if key in stored),
        tuple(alert_id for alert_id, key in ids.items() if key not in readable | stored),
        tuple(dict.fromkeys(problems)),
    )


def sample_of(context: AlertContext, campaign: Campaign) -> Message:
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


def rank(found: Sequence[Engagement], campaign: Campaign) -> list[list[Engagement]]:
    """The engagements of each person, VIPs and the most important first."""
    by_person: dict[str, list[Engagement]] = {}
    for one in found:
        by_person.setdefault(one.profile.user_id, []).append(one)
    return sorted(
        by_person.values(),
        key=lambda own: (
            not any(is_vip(campaign, one.profile) for one in own),
            -max(one.importance.score or 0.0 for one in own),
            own[0].profile.user_id,
        ),
    )


def compose(
    message: ClaimedMessage,
    people: Sequence[Sequence[Engagement]],
    campaign: Campaign,
    known: Background,
    *,
    left_out: int = 0,
) -> Message:
    """A message about these people, each by their engagements. Pure; texts are cleaned once more."""
    most = MOST_OF_A_PERSON if message.kind is MessageKind.PERSON else MOST_IN_A_DIGEST
    shown = tuple(_person(own, known, most) for own in people)
    name = _name(campaign.name) or campaign.slug
    return Message(
        message_id=message.message_id,
        kind=message.kind,
        campaign_id=campaign.slug,
        campaign_name=name,
        title=f"{name}: {_headline(message.kind, shown, left_out)}",
        people=shown,
        thread=f"{campaign.slug}-{message.created_at:%Y%m%d}",
        created_at=message.created_at,
        may_be_repeated=message.repeats > 0,
        report_url=known.report_url,
        left_out=left_out,
    )


def halves(message: Message) -> tuple[Message, ...]:
    """The message in two smaller ones, by people, of one person by engagements; () when it cannot be split."""
    people, left_out = message.people, message.left_out
    if len(people) > 1:
        middle = len(people) // 2
        parts = [(people[:middle], 0), (people[middle:], left_out)]
    else:
        (person,) = people
        middle, all_ = len(person.engagements) // 2, person.engagements
        if not middle:
            return ()
        first = replace(person, engagements=all_[:middle], left_out=0)
        parts = [((first,), 0), ((replace(person, engagements=all_[middle:]),), left_out)]
    return tuple(
        replace(
            message,
            message_id=f"{message.message_id}-{number}",
            title=f"{message.campaign_name}: {_headline(message.kind, own, rest)}",
            people=own,
            left_out=rest,
        )
        for number, (own, rest) in enumerate(parts, start=1)
    )


def _headline(kind: MessageKind, people: Sequence[MessagePerson], left_out: int) -> str:
    count = f"{counted(len(people) + left_out, 'important person', 'important people')} engaged"
    if kind is MessageKind.BACKLOG:
        return f"{count} before monitoring started"
    if len(people) > 1:
        names = ", ".join(f"@{person.username}" for person in people[:NAMES_IN_THE_TITLE])
        more = len(people) + left_out - NAMES_IN_THE_TITLE
        return f"{count}: {names} and {more:,} more" if more > 0 else f"{count}: {names}"
    first = people[0]
    return f"{'VIP ' if first.is_vip else ''}{first.name} (@{first.username}) {first.deed}"


def _person(engagements: Sequence[Engagement], known: Background, most: int) -> MessagePerson:
    newest = max(engagements, key=lambda one: one.first_seen_at)
    profile, importance = newest.profile, newest.importance
    listed = sorted(engagements, key=lambda one: (one.at, one.engagement_id))[:most]
    count, reasons = known.followers.get(profile.user_id, (len(importance.reasons), importance.reasons))
    username = _name(profile.username)
    return MessagePerson(
        user_id=_name(profile.user_id),
        username=username,
        name=_name(profile.name) or f"@{username}",
        url=links.profile_url(profile),
        score=importance.score,
        engagements=tuple(_engagement(one, known) for one in listed),
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
        left_out=len(engagements) - len(listed),
    )


def _name(text: str) -> str:
    return cleaning.one_line(text, limit=LONGEST_NAME)


def _engagement(one: Engagement, known: Background) -> MessageEngagement:
    tweet = known.tweets.get(one.tweet_id)
    author = tweet.author_username if tweet else None
    is_named = bool(author) and links.HANDLE.fullmatch(author or "")
    return MessageEngagement(
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


def background(
    context: AlertContext, campaign: Campaign, shown: Sequence[Engagement], problems: list[str]
) -> Background:
    """What a message says beside these engagements; what cannot be read goes to `problems`."""

    def readable(read: Callable[[], dict[str, Read]]) -> dict[str, Read]:
        try:
            return read()
        except Exception as error:
            problems.append(index_warning(error))
            return {}

    entries = campaigns.with_tweets(context.db, (one.tweet_id for one in shown))
    page = context.report_url.rstrip("/")
    if page and context.has_client_folders:
        page += f"/{campaigns.client_folder(context.db, campaign, is_public=True, dry_run=True)}"
    return Background(
        tweets={
            one.tweet_id: one for all_ in entries.values() for one in all_ if one.campaign_id == campaign.slug
        },
        vips=frozenset(one.profile.user_id for one in shown if is_vip(campaign, one.profile)),
        followers=readable(lambda: _followers(context, shown)),
        organisations=readable(lambda: _organisations(context, campaign, shown)),
        report_url=f"{page}/{campaign.slug}.html" if page else "",
    )


def _followers(
    context: AlertContext, shown: Sequence[Engagement]
) -> dict[str, tuple[int, tuple[tuple[str, float], ...]]]:
    """How many important people follow each account, and the heaviest of them, as the index says today."""
    people = {one.profile.user_id: one.profile.username for one in shown}
    entries = importance.find(context.db, context.names, list(people.items()))
    found = {}
    for user_id, entry in zip(people, entries, strict=True):
        if entry is not None and entry.followers:
            heaviest = tuple((f.username, f.weight) for f in entry.heaviest[:REASONS_SHOWN])
            found[user_id] = (len(entry.followers), heaviest)
    return found


def _organisations(context: AlertContext, campaign: Campaign, shown: Sequence[Engagement]) -> dict[str, str]:
    """ "third of Fund Z in this campaign": by the customer's list, else by the bio; in the order first seen."""
    listed = importance.find_person(context.db, context.names, [one.profile.username for one in shown])
    tweet_ids: list[str] = []
    order: dict[str, list[str]] = {}
    notes: dict[str, str] = {}
    for one in shown:
        person, user_id = listed.get(fold_handle(one.profile.username)), one.profile.user_id
        if person and person.user_id not in (None, user_id):
            person = None  # another account had the handle
        name = (person.organisation if person else None) or next(iter(one.organisations), None)
        if not name:
            continue
        if name not in order:
            tweet_ids = tweet_ids or campaigns.tweet_ids_of(context.db, campaign.slug)
            members = importance.members_of(context.db, context.names, name)
            order[name] = engagements.order_of_organisation(context.db, tweet_ids, name, members)
        place = order[name].index(user_id) + 1 if user_id in order[name] else 0
        ordinal = ORDINALS[place] if place < len(ORDINALS) else f"number {place}"
        notes[user_id] = f"{ordinal} of {name} in this campaign" if place else f"of {name}"
    return notes
