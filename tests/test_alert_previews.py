"""`alerts send --dry-run` writes nothing and says what a sending would then do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.alerting import Alerting
from support.lab import SLUG, Lab, campaign, change
from support.mortal import Killed, MortalDb
from support.servers import Hook, reply

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.send import Dispatched, SendResult, preview, send_alerts
from socap_cli.model.alert import DeliveryStatus, Silence
from socap_cli.model.campaign import CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.kinds import QUOTES
from socap_cli.store import alert_messages, alert_queue, campaigns


@pytest.fixture
def alerting(lab: Callable[..., Lab]) -> Alerting:
    """Two important people have just replied."""
    one = Alerting(lab(tweets=1))
    one.engage(1)
    one.engage(2)
    one.collect()
    return one


def context(alerting: Alerting) -> AlertContext:
    return alerting.context(webhook_hosts=["127.0.0.1"])


def stored(alerting: Alerting) -> dict[str, list[Any]]:
    db = alerting.lab.db
    return {name: list(db[name].find().sort("_id", 1)) for name in sorted(db.list_collection_names())}


def foreseen(alerting: Alerting) -> tuple[Dispatched, SendResult]:
    """A preview, which wrote nothing, and the sending after it."""
    alerting.lab.advance(minutes=1)
    before = stored(alerting)
    found = preview(context(alerting))
    assert stored(alerting) == before
    return found, send_alerts(context(alerting))


def tells_the_truth(alerting: Alerting) -> SendResult:
    found, result = foreseen(alerting)
    tried = result.sent + result.failed + result.dead + result.unknown
    assert (found.planned, len(found.messages) + len(found.due), len(found.held)) == (
        result.planned, tried, result.held,
    )  # fmt: skip
    return result


def test_a_preview_looks_up_an_unknown_importance_and_leaves_it_unknown(alerting: Alerting) -> None:
    alerting.lab.db.engagements.update_many({}, {"$set": {"importance_score": None}})
    assert tells_the_truth(alerting).sent == 2


@pytest.mark.parametrize("edit", [{"threshold": 5.0}, {"vips": "everybody"}], ids=["threshold", "VIP"])
def test_a_preview_foresees_what_an_edit_makes_owed(alerting: Alerting, edit: dict[str, Any]) -> None:
    change(alerting.lab.db, SLUG, threshold=100.0)
    assert tells_the_truth(alerting).planned == 0
    names = tuple(account.username for account in alerting.important)
    change(alerting.lab.db, SLUG, **{key: names if key == "vips" else value for key, value in edit.items()})
    assert tells_the_truth(alerting).planned == 2


def test_a_preview_foresees_what_a_campaign_that_joins_is_owed(alerting: Alerting) -> None:
    tells_the_truth(alerting)
    db, now = alerting.lab.db, alerting.lab.now()
    campaigns.insert(db, campaign("other", at=now))
    tweet = alerting.lab.tweet_ids[0]
    row = CampaignTweet("other", tweet, TweetCategory.MAIN, f"https://x.com/c/status/{tweet}", now, "client")
    campaigns.add_tweets(db, [row])
    assert tells_the_truth(alerting).planned == 2


def test_a_preview_counts_no_receiver_that_has_its_message(
    alerting: Alerting, team: Hook, boss: Hook
) -> None:
    channels = (f"slack={team.url}", f"slack={boss.url},digest=daily 18:00")
    change(alerting.lab.db, SLUG, channels=channels)
    assert tells_the_truth(alerting).sent == 2
    alerting.lab.advance(hours=7)
    assert tells_the_truth(alerting).sent == 1


@pytest.mark.parametrize("how", ["paused", "silenced", "another receiver", "nobody", "deleted", "died"])
def test_a_preview_foresees_what_becomes_of_messages_that_are_made(
    alerting: Alerting, team: Hook, boss: Hook, how: str
) -> None:
    db = alerting.lab.db
    team.answer, taken = reply(503), team.answer
    change(db, SLUG, channels=(f"slack={team.url}", f"slack={boss.url},digest=daily 18:00"))
    assert tells_the_truth(alerting).failed == 2
    team.answer, now = taken, alerting.lab.now()
    if how == "paused":
        change(db, SLUG, status=CampaignStatus.PAUSED)
    elif how == "silenced":
        alert_queue.put_silence(db, Silence("one", now + timedelta(hours=1), now, "ops", campaign_id=SLUG))
    elif how == "another receiver":
        change(db, SLUG, channels=(f"slack={boss.url}",))
    elif how == "nobody":
        change(db, SLUG, channels=("pigeon",))
    elif how == "deleted":
        campaigns.delete(db, SLUG)
    else:
        fields = {"status": DeliveryStatus.SENDING.value, "lease_expires_at": now}
        db.alert_messages.update_many({}, {"$set": fields})
    alerting.lab.advance(minutes=5)
    tells_the_truth(alerting)


@pytest.mark.parametrize("lives", range(1, 22, 2))
@pytest.mark.parametrize("then", ["paused", "nothing", "more"])
def test_a_preview_foresees_what_becomes_of_what_a_killed_run_left_half_made(
    alerting: Alerting, then: str, lives: int
) -> None:
    db = alerting.lab.db
    mortal: Any = MortalDb(db, lives, after=True)
    with contextlib.suppress(Killed):
        send_alerts(replace(context(alerting), db=mortal))
    db.locks.update_many({}, {"$set": {"token": None}})
    if then == "paused":
        change(db, SLUG, status=CampaignStatus.PAUSED)
    elif then == "more":
        alerting.engage(0)
        alerting.engage(1, QUOTES)
        alerting.collect()
    alerting.lab.advance(minutes=2)
    tells_the_truth(alerting)


def test_a_preview_says_that_a_receiver_is_switched_off(alerting: Alerting, team: Hook) -> None:
    team.answer = reply(404, b"no_service")
    change(alerting.lab.db, SLUG, channels=(f"slack={team.url}",))
    send_alerts(context(alerting))
    alerting.engage(3, QUOTES)
    alerting.collect()
    found, result = foreseen(alerting)
    assert (len(found.messages), result.dead) == (1, 1)
    assert any("is disabled, its messages will be dead" in said for said in found.warnings)
    assert len(alert_messages.ended(alerting.lab.db)) == 3
