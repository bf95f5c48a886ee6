"""Alert messages, made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from socap_cli.model.message import Message, MessageEngagement, MessageKind, MessagePerson

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def engagement(**changes: object) -> MessageEngagement:
    """Ann's reply to the client's tweet."""
    plain = MessageEngagement(
        engagement_id="100:reply:200",
        action_type="reply",
        verb="replied to",
        url="https://x.com/ann/status/200",
        tweet_id="100",
        tweet_url="https://x.com/client/status/100",
        tweet_label="@client's tweet",
        tweet_category="client",
        at=AT,
        text="This is it.",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def person(**changes: object) -> MessagePerson:
    """Ann, who replied once and is followed by somebody who counts."""
    plain = MessagePerson(
        user_id="7",
        username="ann",
        name="Ann Lee",
        url="https://x.com/ann",
        score=31.0,
        engagements=(engagement(),),
        is_verified=True,
        followers=12_345,
        bio="Partner at Fund Z",
        labels=("investors",),
        reasons=(("boss", 12.0), ("vc1", 5.0)),
        important_followers=9,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def message(*people: MessagePerson, **changes: object) -> Message:
    """One message about these people, about Ann when none is named."""
    plain = Message(
        message_id="launch-1",
        kind=MessageKind.PERSON,
        campaign_id="launch",
        campaign_name="Launch",
        title="Launch: Ann Lee (@ann) replied to @client's tweet",
        people=people or (person(),),
        thread="launch-20260302",
        created_at=AT,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
