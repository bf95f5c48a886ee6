"""Read the state of the whole program into one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.client.look_summaries import summarized
from socap_cli.client.looks import LookPolicy
from socap_cli.model.alert_listing import AlertTotals
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.detection import Detection
from socap_cli.model.gaps import GapRow, gaps_of
from socap_cli.model.kinds import Kind
from socap_cli.model.list_state import Coverage, coverage_of
from socap_cli.model.look_summary import LookSummary
from socap_cli.model.run import LimitState, RunRecord
from socap_cli.store import (
    Db,
    alert_view,
    campaigns,
    channel_state,
    queue_view,
    rate_limits,
    runs,
    usage,
    worker_state,
)
from socap_cli.store.clock import clock
from socap_cli.store.detection import detection

COMMANDS = ("enqueue", "work", "alerts send", "report render")
MOST_GAPS = 20
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `status` shows, as of one moment."""

    campaigns_active: int
    campaigns_unreadable: tuple[str, ...]
    tweets: int
    jobs: Mapping[str, Mapping[str, int]]
    """{kind: {status: jobs}}."""
    lag_seconds: float
    coverage: Mapping[Kind, Coverage]
    gaps: tuple[GapRow, ...]
    limits: tuple[LimitState, ...]
    channels_off: Mapping[str, str]
    alerts: AlertTotals
    last_runs: Mapping[str, RunRecord]
    rows_unreadable: int
    """Rows of answers that the last run of `work` had to leave out."""
    alerts_due_since: datetime | None = None
    """When the oldest alert or message should have gone out that has not; None when nothing is late."""
    spent_today: float = 0.0
    """Credits, since midnight UTC."""
    detection: Detection = field(default_factory=Detection)
    """How late replies and quotes were found in the last 24 hours."""
    looks: tuple[LookSummary, ...] = ()
    """When the tweets of each campaign are looked at next."""

    @property
    def oldest_pass_at(self) -> datetime | None:
        """The oldest last pass of any list."""
        return min((row.oldest_pass_at for row in self.coverage.values() if row.oldest_pass_at), default=None)


def gather(db: Db, policy: LookPolicy | None = None) -> Status:
    """The state of the queue, the lists, the provider and the channels; with a policy, the looks to come."""
    now = clock(db)()
    active = campaigns.listed(db, CampaignStatus.ACTIVE)
    tweet_ids = {tweet_id for campaign in active for tweet_id in campaigns.tweet_ids_of(db, campaign.slug)}
    states = list(worker_state.load(db, tweet_ids).values())
    last = {command: run for command in COMMANDS if (run := runs.last(db, command)) is not None}
    return Status(
        campaigns_active=len(active),
        campaigns_unreadable=tuple(campaigns.unreadable(db)),
        tweets=len(tweet_ids),
        jobs=queue_view.count_by_status(db),
        lag_seconds=queue_view.lag(db),
        coverage=coverage_of(states),
        gaps=gaps_of(states)[:MOST_GAPS],
        limits=tuple(rate_limits.states(db)),
        channels_off={
            f"{one.channel} ({one.receiver})": one.reason for one in channel_state.switched_off(db).values()
        },
        alerts=alert_view.totals(db),
        last_runs=last,
        rows_unreadable=int(last["work"].result.get("rows_unreadable", 0)) if "work" in last else 0,
        alerts_due_since=alert_view.due_since(db, now=now),
        spent_today=sum(usage.spent(db, f"{now:%Y-%m-%d}").values()),
        detection=detection(db, [one.slug for one in active], list(tweet_ids), since=now - DAY),
        looks=tuple(summarized(db, one, policy, now=now) for one in active if policy is not None),
    )
