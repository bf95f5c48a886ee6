"""Campaigns and tweets. The types of `Campaign` are the rules for options, campaign files and stored documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AllowInfNan,
    AwareDatetime,
    BeforeValidator,
    Field,
    Strict,
    ValidationInfo,
)

from socap_cli.model.cadence import Cadence
from socap_cli.model.links import NotAHandle, handles
from socap_cli.model.message import parse_digest, parse_quiet_hours, parse_receiver, public_spelling

EARLIEST, LATEST = datetime(2006, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
LONGEST_TEXT, LONGEST_ADDRESS = 200, 2000
STORED = "stored"
"""The validation context of documents from the database."""


def _unless_stored(check: Callable[[Any], Any]) -> Callable[[Any, ValidationInfo], Any]:
    """The same check for what people type. Stored texts may come from other tools and only need the right type."""
    return lambda value, info: value if info.context == STORED else check(value)


def _no_boolean(value: Any) -> Any:
    """pydantic takes True for 1, and text for a number."""
    if isinstance(value, (bool, str)):
        raise ValueError("not a number")
    return value


def _line(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("must not be empty")
    if not text.isprintable():
        raise ValueError("contains a character that cannot be printed")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"longer than {LONGEST_TEXT} characters")
    return text


def _moment(value: Any) -> datetime:
    """ISO 8601 as text or as TOML has it; without an offset it is UTC, a date is its first moment."""
    try:
        parsed = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(parsed, date) and not isinstance(parsed, datetime):
            parsed = datetime.combine(parsed, time())
        moment: datetime = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        raise ValueError("not an ISO time; write it like 2026-01-31T09:00Z") from None
    if not EARLIEST <= moment < LATEST:
        raise ValueError("out of range; use a time from 2006 to 2199")
    return moment.replace(microsecond=0)


def _texts(value: Any) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise ValueError("not a list of texts")
    return list(words)


def _handles(value: Any) -> tuple[str, ...]:
    """Each once and in lower case: handles are case-insensitive."""
    try:
        names = [name.lower() for text in _texts(value) for name in handles(text)]
    except NotAHandle as error:
        raise ValueError(str(error)) from None
    return tuple(dict.fromkeys(names))


def _recipients(value: Any) -> tuple[str, ...]:
    """In the notation of `parse_receiver`, each once. An address may be a secret and is not repeated in errors."""
    found = [parse_receiver(text).spelling for text in _texts(value) if text.strip()]
    if not all(text.isprintable() and len(text) <= LONGEST_ADDRESS for text in found):
        raise ValueError("an address contains a character that cannot be printed, or is too long")
    return tuple(dict.fromkeys(found))


def _quiet_hours(text: str) -> str:
    return text if text == "off" else str(parse_quiet_hours(text))


Text = Annotated[str, AfterValidator(_unless_stored(_line))]
Moment = Annotated[AwareDatetime, BeforeValidator(_unless_stored(_moment))]
Number = Annotated[float, BeforeValidator(_no_boolean), AllowInfNan(False)]
Minutes = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=525_600)]
Threshold = Annotated[Number, Field(ge=0, le=1e12)]
Days = Annotated[Number, Field(gt=0, le=36_500)]
Handles = Annotated[tuple[str, ...], BeforeValidator(_unless_stored(_handles))]
Recipients = Annotated[tuple[str, ...], BeforeValidator(_unless_stored(_recipients))]
QuietHoursText = Annotated[Text, AfterValidator(_unless_stored(_quiet_hours))]
DigestText = Annotated[Text, AfterValidator(_unless_stored(lambda text: str(parse_digest(text))))]


class TweetCategory(StrEnum):
    """The author group of a tweet as stored; `short` and `CATEGORY_NAMES` are what people read and type."""

    MAIN = "main_twt"
    INFLUENCER = "influencer_twt"
    INVESTOR = "investor_twt"

    @property
    def short(self) -> str:
        return {TweetCategory.MAIN: "client"}.get(self, self.value.removesuffix("_twt"))


class CampaignStatus(StrEnum):
    """A campaign is collected while it is active and inside its window."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A list of tweets that is monitored for some days, and who is alerted."""

    slug: str
    name: Text
    status: CampaignStatus
    starts_at: Moment
    ends_at: Moment | None
    threshold: Threshold
    channels: Recipients = field(repr=False)
    """None: every recipient in the configuration."""
    spacing_minutes: Minutes
    frequency_window_minutes: Minutes
    created_at: AwareDatetime
    client_name: Text | None = None
    client_email: Text | None = None
    slack_webhook: Text | None = field(default=None, repr=False)
    vips: Handles = ()
    ignores: Handles = ()
    account_ids: dict[str, str] = field(default_factory=dict, hash=False)
    """Whom the handles on these two lists mean, where that is known: handles are given up and taken by others."""
    last_cycle_at: AwareDatetime | None = None
    """When the jobs of the last cycle, after the window's end, were queued."""
    completed_at: AwareDatetime | None = None
    quiet_hours: QuietHoursText | None = None
    """None: as configured; `off`: no quiet hours."""
    digest: DigestText | None = None
    """When alerts that are not urgent are sent together; None: as configured."""
    cadence: Cadence | None = None
    """How often its tweets are polled; None: as configured."""
    stop_when_cold: Annotated[bool, Strict()] = False
    """Whether a campaign without an end ends by itself once nothing has happened for a while."""


def public_campaign(campaign: Campaign) -> dict[str, Any]:
    """A campaign's fields for output. Webhooks are secrets and shown as `set`."""
    row = asdict(campaign)
    del row["account_ids"]
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
