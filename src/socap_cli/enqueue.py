"""Active campaigns × tweets × kinds become jobs; campaigns past their window get one last cycle and end."""

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
"""A tweet whose lists have not moved for so long is cold."""


@dataclass(frozen=True, slots=True)
class EnqueueResult:
    """How many campaigns and jobs it was, and what went wrong with some of them."""

    campaigns: int
    jobs_armed: int
    jobs_already_open: int
    campaigns_completed: int
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be armed."""

    only: Campaign | None = None
    """This campaign; None: all."""
    verify: bool = False
    """Whether a full pass over every list is asked for."""
    looks: LookPolicy | None = None
    """With it only what is due by each campaign's cadence; without, or to verify, everything."""


EVERYTHING = Wanted()


def enqueue(
    db: Db,
    wanted: Wanted = EVERYTHING,
    *,
    now: datetime,
    max_attempts: int = 5,
    patience: float = 0.0,
) -> EnqueueResult:
    """Arm the jobs of every active campaign inside its window. One campaign's failure leaves the others be.

    `patience` is how many seconds a database that goes away is waited for.
    """
    chosen = [wanted.only] if wanted.only else campaigns.listed(db, CampaignStatus.ACTIVE)
    counts = {"campaigns": 0, "jobs_armed": 0, "jobs_already_open": 0, "campaigns_completed": 0}
    warnings = []
    for campaign in chosen:
        if campaign.status is not CampaignStatus.ACTIVE or campaign.starts_at > now:
            continue
        try:
            one = partial(_enqueue_one, db, campaign, wanted, now=now, max_attempts=max_attempts)
            for name, value in retry_until_available(one, patience=patience).items():
                counts[name] += value
        except Exception as error:
            fault = translate_error(error)
            if fault is None or len(chosen) == 1:
                raise
            warnings.append(f"{campaign.slug}: {fault.message}")
    if warnings and not counts["campaigns"]:
        raise StoreError(warnings[0])
    return EnqueueResult(**counts, warnings=tuple(warnings))


def planned(db: Db, wanted: Wanted = EVERYTHING, *, now: datetime) -> EnqueueResult:
    """What `enqueue` would do now; nothing is written."""
    found = EnqueueResult(0, 0, 0, 0)
    for campaign in [wanted.only] if wanted.only else campaigns.listed(db, CampaignStatus.ACTIVE):
        if campaign.status is not CampaignStatus.ACTIVE or campaign.starts_at > now:
            continue
        already_open = jobs.count_open(db, campaign.slug)
        if _is_past_last_cycle(campaign, now):
            found = replace(found, campaigns_completed=found.campaigns_completed + (already_open == 0))
            continue
        to_be_open = _to_be_open(db, campaign, wanted, now)
        found = replace(
            found,
            campaigns=found.campaigns + 1,
            jobs_armed=found.jobs_armed + max(0, to_be_open - already_open),
            jobs_already_open=found.jobs_already_open + already_open,
        )
    return found


def _to_be_open(db: Db, campaign: Campaign, wanted: Wanted, now: datetime) -> int:
    """How many jobs are to be open after a call."""
    due = _due(db, campaign, wanted, now)
    if due is None:
        return len(campaigns.tweet_ids_of(db, campaign.slug)) * len(kinds())
    return sum(1 + len(look.lists) for look in due.values())


def _due(db: Db, campaign: Campaign, wanted: Wanted, now: datetime) -> Mapping[str, Look] | None:
    """The looks that are due; None when everything is armed."""
    if wanted.looks is None or wanted.verify or _has_ended(campaign, now):
        return None
    return due_looks(db, campaign, wanted.looks, now=now)


def _has_ended(campaign: Campaign, now: datetime) -> bool:
    return campaign.ends_at is not None and campaign.ends_at <= now


def _is_past_last_cycle(campaign: Campaign, now: datetime) -> bool:
    return _has_ended(campaign, now) and campaign.last_cycle_at is not None


def _enqueue_one(
    db: Db, campaign: Campaign, wanted: Wanted, *, now: datetime, max_attempts: int
) -> dict[str, int]:
    campaign = _ended_when_cold(db, campaign, now)
    ended = _has_ended(campaign, now)
    if _is_past_last_cycle(campaign, now):
        if jobs.count_open(db, campaign.slug) == 0:
            completed = replace(campaign, status=CampaignStatus.COMPLETED, completed_at=now)
            campaigns.update(db, campaign, completed)
            return {"campaigns_completed": 1}
        return {}
    tweet_ids = campaigns.tweet_ids_of(db, campaign.slug)
    if wanted.verify:
        worker_state.ask_full_pass(db, tweet_ids)
    due = _due(db, campaign, wanted, now)
    armed, already_open = jobs.arm(
        db, campaign.slug, tweet_ids, asked_at=now, last_cycle=ended, max_attempts=max_attempts, looks=due
    )
    if ended and not already_open:
        campaigns.note_last_cycle(db, campaign.slug, at=now)
    return {"campaigns": 1, "jobs_armed": armed, "jobs_already_open": already_open}


def _ended_when_cold(db: Db, campaign: Campaign, now: datetime) -> Campaign:
    """The campaign, ended now when it is to stop by itself and nothing has happened for long."""
    if not campaign.stop_when_cold or campaign.ends_at is not None:
        return campaign
    ids = campaigns.tweet_ids_of(db, campaign.slug)
    moved = [state.moved_at for state in worker_state.load(db, ids).values()]
    if not moved or any(at is None or now - at < COLD_AFTER for at in moved):
        return campaign
    return campaigns.update(db, campaign, replace(campaign, ends_at=now)) or campaign
