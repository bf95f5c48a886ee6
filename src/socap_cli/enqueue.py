"""Queue the jobs of active campaigns. A campaign past its window gets one last cycle, then it is completed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from socap_cli.client.looks import LookPolicy, due_looks
from socap_cli.errors import StoreError
from socap_cli.model.cadence import Look
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.kinds import kinds
from socap_cli.store import Db, campaigns, jobs, retry_until_available, translate_error, worker_state

COLD_AFTER = timedelta(hours=48)
"""A tweet is cold when its counters have not moved for this long."""


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    campaigns: int
    jobs_armed: int
    jobs_already_open: int
    campaigns_completed: int
    warnings: tuple[str, ...] = field(default=())


def enqueue(
    db: Db,
    *,
    only: Campaign | None = None,
    verify: bool = False,
    looks: LookPolicy | None = None,
    now: datetime,
    max_attempts: int = 5,
    patience: float = 0.0,
) -> EnqueueResult:
    """Queue the jobs of every active campaign inside its window; one campaign's failure does not affect the others.

    With `looks` only what is due by each campaign's cadence; without, or with `verify` (a full pass over every list),
    everything. An unavailable database is retried for `patience` seconds.
    """
    chosen = [only] if only else campaigns.listed(db, CampaignStatus.ACTIVE)
    counts = {"campaigns": 0, "jobs_armed": 0, "jobs_already_open": 0, "campaigns_completed": 0}
    warnings = []
    for campaign in chosen:
        if campaign.status is not CampaignStatus.ACTIVE or campaign.starts_at > now:
            continue
        try:
            step = partial(
                _enqueue_one, db, campaign, verify=verify, looks=looks, now=now, max_attempts=max_attempts
            )
            for name, value in retry_until_available(step, patience=patience).items():
                counts[name] += value
        except Exception as error:
            fault = translate_error(error)
            if fault is None or len(chosen) == 1:
                raise
            warnings.append(f"{campaign.slug}: {fault.message}")
    if warnings and not counts["campaigns"]:
        raise StoreError(warnings[0])
    return EnqueueResult(**counts, warnings=tuple(warnings))


def _enqueue_one(
    db: Db, campaign: Campaign, *, verify: bool, looks: LookPolicy | None, now: datetime, max_attempts: int
) -> dict[str, int]:
    campaign = _end_when_cold(db, campaign, now)
    if _is_past_last_cycle(campaign, now):
        if jobs.count_open(db, campaign.slug):
            return {}
        completed = replace(campaign, status=CampaignStatus.COMPLETED, completed_at=now)
        campaigns.update(db, campaign, completed)
        return {"campaigns_completed": 1}
    ended = _has_ended(campaign, now)
    tweet_ids = campaigns.tweet_ids_of(db, campaign.slug)
    if verify:
        worker_state.ask_full_pass(db, tweet_ids)
    due = _due(db, campaign, verify=verify, looks=looks, now=now)
    armed, already_open = jobs.arm(
        db, campaign.slug, tweet_ids, asked_at=now, last_cycle=ended, max_attempts=max_attempts, looks=due
    )
    if ended and not already_open:
        campaigns.note_last_cycle(db, campaign.slug, at=now)
    return {"campaigns": 1, "jobs_armed": armed, "jobs_already_open": already_open}


def planned(
    db: Db,
    *,
    only: Campaign | None = None,
    verify: bool = False,
    looks: LookPolicy | None = None,
    now: datetime,
) -> EnqueueResult:
    """What `enqueue` would do now; writes nothing."""
    result = EnqueueResult(0, 0, 0, 0)
    for campaign in [only] if only else campaigns.listed(db, CampaignStatus.ACTIVE):
        if campaign.status is not CampaignStatus.ACTIVE or campaign.starts_at > now:
            continue
        already_open = jobs.count_open(db, campaign.slug)
        if _is_past_last_cycle(campaign, now):
            result = replace(result, campaigns_completed=result.campaigns_completed + (already_open == 0))
            continue
        due = _due(db, campaign, verify=verify, looks=looks, now=now)
        if due is None:
            to_be_open = len(campaigns.tweet_ids_of(db, campaign.slug)) * len(kinds())
        else:
            to_be_open = sum(1 + len(look.lists) for look in due.values())
        result = replace(
            result,
            campaigns=result.campaigns + 1,
            jobs_armed=result.jobs_armed + max(0, to_be_open - already_open),
            jobs_already_open=result.jobs_already_open + already_open,
        )
    return result


def _due(
    db: Db, campaign: Campaign, *, verify: bool, looks: LookPolicy | None, now: datetime
) -> Mapping[str, Look] | None:
    """The due polls; None when everything is queued."""
    if looks is None or verify or _has_ended(campaign, now):
        return None
    return due_looks(db, campaign, looks, now=now)


def _has_ended(campaign: Campaign, now: datetime) -> bool:
    return campaign.ends_at is not None and campaign.ends_at <= now


def _is_past_last_cycle(campaign: Campaign, now: datetime) -> bool:
    return _has_ended(campaign, now) and campaign.last_cycle_at is not None


def _end_when_cold(db: Db, campaign: Campaign, now: datetime) -> Campaign:
    """The campaign, ended now if it is to end by itself and all its tweets are cold."""
    if not campaign.stop_when_cold or campaign.ends_at is not None:
        return campaign
    ids = campaigns.tweet_ids_of(db, campaign.slug)
    moved = [state.moved_at for state in worker_state.load(db, ids).values()]
    if not moved or any(at is None or now - at < COLD_AFTER for at in moved):
        return campaign
    return campaigns.update(db, campaign, replace(campaign, ends_at=now)) or campaign
