"""Campaigns and their tweets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from socap_cli.model.message import public_spelling


class TweetCategory(StrEnum):
    """Whose tweet it is, as the stored documents call it; people type and read `CATEGORY_NAMES`."""

    MAIN = "main_twt"
    INFLUENCER = "influencer_twt"
    INVESTOR = "investor_twt"

    @property
    def short(self) -> str:
        """What people read and may type."""
        return {TweetCategory.MAIN: "client"}.get(self, self.value.removesuffix("_twt"))


class CampaignStatus(StrEnum):
    """A campaign is collected while it is active and inside its window."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A list of tweets watched for some days, and who is told about it."""

    slug: str
    name: str
    status: CampaignStatus
    starts_at: datetime
    ends_at: datetime | None
    threshold: float
    channels: tuple[str, ...] = field(repr=False)
    """Receivers as `parse_receiver` reads them; none: everybody whom the configuration names."""
    spacing_minutes: int
    frequency_window_minutes: int
    created_at: datetime
    client_name: str | None = None
    client_email: str | None = None
    slack_webhook: str | None = field(default=None, repr=False)
    vips: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    last_cycle_at: datetime | None = None
    """When the one last cycle after the window's end was armed."""
    completed_at: datetime | None = None
    quiet_hours: str | None = None
    """When nothing is told; None: as the configuration says, `off`: never quiet."""
    digest: str | None = None
    """When what is not urgent is told together; None: as the configuration says."""
    cadence: str | None = None
    """How often its tweets are looked at, a `Cadence`; None: as the configuration says."""
    stop_when_cold: bool = False
    """Whether it ends by itself once nothing has happened for a while; for one without an end."""


def public_campaign(campaign: Campaign) -> dict[str, Any]:
    """A campaign's fields for pages, terminals and programs: its webhooks are secrets and only said to be set."""
    row = asdict(campaign)
    row["slack_webhook"] = "set" if campaign.slack_webhook else None
    row["channels"] = tuple(map(public_spelling, campaign.channels))
    return row


@dataclass(frozen=True, slots=True)
class CampaignTweet:
    """A tweet in a campaign. The same tweet may stand in several campaigns."""

    campaign_id: str
    tweet_id: str
    category: TweetCategory
    url: str
    added_at: datetime
    author_username: str | None = None
    author_name: str | None = None
    text: str | None = None
    posted_at: datetime | None = None
    author_followers: int | None = None
    """When it was added."""
