"""The nouns of the field as frozen values. It imports nothing but the standard library.

Ids are strings, every datetime is aware UTC, and a counter that is `None` is unknown, never 0.
"""

from socap_cli.model.account import ListItem, Page, Profile, Tweet, TweetsAnswer, UnreadableRow
from socap_cli.model.alert import DeliveryStatus
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.engagement import (
    Engagement,
    FoundEngagement,
    Importance,
    Snapshot,
    StoredItem,
    engagement_id,
)
from socap_cli.model.kinds import (
    LISTS,
    METRICS,
    QUOTES,
    REPLIES,
    RETWEETS,
    Counters,
    Kind,
    ListKind,
    action_types,
    counter_names,
    kinds,
    list_of,
    priority_of,
)
from socap_cli.model.list_state import (
    Coverage,
    Deferral,
    Gap,
    ListState,
    Observation,
    Pass,
    Phase,
    StoredCounts,
    TweetState,
    Window,
    coverage_of,
)
from socap_cli.model.queue import Job, JobRecord, JobStatus, Outcome, Result, Unit
from socap_cli.model.run import LimitState, MeteredRequest, RunRecord, Usage, UsageBatch
from socap_cli.model.snowflake import lowest_snowflake, snowflake_time

__all__ = [
    "LISTS",
    "METRICS",
    "QUOTES",
    "REPLIES",
    "RETWEETS",
    "Campaign",
    "CampaignStatus",
    "CampaignTweet",
    "Counters",
    "Coverage",
    "Deferral",
    "DeliveryStatus",
    "Engagement",
    "FoundEngagement",
    "Gap",
    "Importance",
    "Job",
    "JobRecord",
    "JobStatus",
    "Kind",
    "LimitState",
    "ListItem",
    "ListKind",
    "ListState",
    "MeteredRequest",
    "Observation",
    "Outcome",
    "Page",
    "Pass",
    "Phase",
    "Profile",
    "Result",
    "RunRecord",
    "Snapshot",
    "StoredCounts",
    "StoredItem",
    "Tweet",
    "TweetCategory",
    "TweetState",
    "TweetsAnswer",
    "Unit",
    "UnreadableRow",
    "Usage",
    "UsageBatch",
    "Window",
    "action_types",
    "counter_names",
    "coverage_of",
    "engagement_id",
    "kinds",
    "list_of",
    "lowest_snowflake",
    "priority_of",
    "snowflake_time",
]
