"""Nouns with plain values, of which a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.kinds import Kind
from socap_cli.model.queue import JobRecord, JobStatus

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TWEET = "1996518988151706110"


def job(**changes: Any) -> JobRecord:
    """A job that was collected five minutes ago."""
    plain = JobRecord(
        job_id=f"launch:{TWEET}:retweets",
        campaign_id="launch",
        tweet_id=TWEET,
        job_type=Kind("retweets"),
        priority=2,
        status=JobStatus.COMPLETED,
        due=None,
        attempts=0,
        max_attempts=5,
        outcome="collected",
        last_error=None,
        last_error_at=None,
        traceback=None,
        claimed_by=None,
        claimed_at=None,
        created_at=NOW - timedelta(days=3),
        updated_at=NOW - timedelta(minutes=5),
        finished_at=NOW - timedelta(minutes=5),
    )
    return replace(plain, **changes)


def profile(username: str = "ada", **changes: Any) -> Profile:
    """An account."""
    plain = Profile(
        user_id="12",
        username=username,
        name="Ada Lovelace",
        bio="Founder at Engines",
        followers=1842,
        verified=True,
    )
    return replace(plain, **changes)


def engagement(**changes: Any) -> Engagement:
    """A reply of an hour ago."""
    plain = Engagement(
        engagement_id=f"{TWEET}:reply:77",
        tweet_id=TWEET,
        action_type="reply",
        source_id="77",
        profile=profile(),
        importance=Importance(12.5, (("boss", 12.5),)),
        categories=("founders",),
        first_seen_at=NOW - timedelta(minutes=55),
        last_seen_at=NOW,
        backfill=False,
        engaged_at=NOW - timedelta(hours=1, minutes=1),
        text="congratulations",
    )
    return replace(plain, **changes)
