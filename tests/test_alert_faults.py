"""Alerts among receivers that come and go or want digests, scores that fall, an index that cannot be read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.alerting import Alerting
from support.lab import SLUG, START, Lab, campaign, change
from support.servers import Hook, hook, reply

from socap_cli.alerts.send import SendResult, preview, send_alerts
from socap_cli.model.alert import Silence
from socap_cli.model.campaign import CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.engagement import Engagement
from socap_cli.model.kinds import QUOTES
from socap_cli.model.message import address_id, parse_receiver
from socap_cli.store import Db, alert_messages, alert_queue, campaigns, engagements, rate_limits
from socap_cli.store.alert_queue import AlertFilter
from socap_cli.store.importance import ImportanceCollections

BROKEN = "broken"


@pytest.fixture
def alerting(lab: Callable[..., Lab]) -> Alerting:
    """Somebody important has just replied."""
    one = Alerting(lab(tweets=1))
    one.engage(1)
    one.collect()
    return one


def status_and_reason(alerting: Alerting) -> tuple[str, str]:
    (listing,) = alert_queue.listed(alerting.lab.db, AlertFilter(), limit=5)
    return listing.alert.status.value, listing.reason


def with_a_broken_index(alerting: Alerting) -> SendResult:
    db = alerting.lab.db
    db.command("create", BROKEN, viewOn="engagements", pipeline=[{"$set": {"x": {"$divide": [1, 0]}}}])
    names = ImportanceCollections(following_index=BROKEN, important_people=BROKEN)
    return send_alerts(replace(alerting.context(), names=names))


def test_an_index_that_cannot_be_read_costs_a_reason_and_no_alert(alerting: Alerting) -> None:
    result = with_a_broken_index(alerting)
    assert (result.sent, len(alerting.messages)) == (1, 1)
    assert "followed by @boss (12)" in alerting.told()  # as it was when the score was looked up
    said = "importance could not be looked up: the database refused an operation"
    assert all(warning.startswith(said) for warning in result.warnings)


def test_what_has_no_score_waits_for_an_index_that_can_be_read(alerting: Alerting) -> None:
    alerting.lab.db.engagements.update_many({}, {"$set": {"importance_score": None}})
    result = with_a_broken_index(alerting)
    assert (result.planned, result.sent) == (0, 0)
    assert "1 engagements wait for their importance; it could not be looked up" in result.warnings
    assert alerting.send().sent == 1


def test_a_score_that_falls_before_it_is_told_is_held_and_told_when_it_rises(alerting: Alerting) -> None:
    change(alerting.lab.db, SLUG, spacing_minutes=600)
    alerting.send()
    alerting.lab.advance(minutes=600)
    alerting.lab.db.engagements.update_many({}, {"$set": {"importance_score": 2.5}})
    assert alerting.send().sent == 0
    assert status_and_reason(alerting) == ("held", "importance 2.5 is below the campaign's threshold of 10")
    (listing,) = alert_queue.listed(alerting.lab.db, AlertFilter(), limit=5)
    assert listing.alert.importance_score == 2.5
    alerting.lab.db.engagements.update_many({}, {"$set": {"importance_score": 13}})
    assert alerting.send().sent == 1


def to(*hooks: Hook) -> tuple[str, ...]:
    return tuple(f"slack={one.url}" for one in hooks)


def send(alerting: Alerting) -> SendResult:
    alerting.lab.advance(minutes=1)
    return alerting.send(webhook_hosts=["127.0.0.1"])


@pytest.mark.parametrize("lost", [False, True], ids=["refused", "answer lost"])
def test_a_receiver_that_was_away_for_a_while_is_told(alerting: Alerting, boss: Hook, lost: bool) -> None:
    boss.answer = b"" if lost else b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"
    change(alerting.lab.db, SLUG, channels=to(boss))
    send(alerting)
    change(alerting.lab.db, SLUG, channels=("pigeon",))
    send(alerting)
    assert status_and_reason(alerting) == ("held", "no channel 'pigeon'")
    boss.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    change(alerting.lab.db, SLUG, channels=to(boss))
    assert send(alerting).sent == 1
    assert (b"may have arrived before" in boss.requests[-1][1]) is lost
    assert send(alerting).sent == 0


def test_what_waits_for_its_turn_at_a_channel_says_so(alerting: Alerting, team: Hook) -> None:
    change(alerting.lab.db, SLUG, channels=to(team))
    alerting.context()
    with_no_sender: dict[str, Any] = {"webhook_hosts": ["127.0.0.1"]}
    context = alerting.context(**with_no_sender)
    context.stop.set()
    send_alerts(context)
    assert status_and_reason(alerting) == ("sending", "queued for slack")
    (listing,) = alert_queue.listed(alerting.lab.db, AlertFilter(), limit=5)
    assert listing.due == alerting.lab.now()


def test_a_receivers_own_digest_is_its_alone_and_holds_while_the_campaign_is_paused(
    alerting: Alerting, team: Hook, boss: Hook
) -> None:
    channels = (f"slack={team.url}", f"slack={boss.url},digest=daily 18:00")
    change(alerting.lab.db, SLUG, channels=channels)
    alerting.engage(2)
    alerting.collect()
    foreseen = preview(alerting.context(webhook_hosts=["127.0.0.1"]))
    result = send(alerting)
    assert (result.sent, result.held, len(foreseen.held)) == (2, 2, 2)
    assert (len(team.requests), len(boss.requests)) == (2, 0)
    (listing, _) = alert_queue.listed(alerting.lab.db, AlertFilter(), limit=5)
    assert listing.reason == "waits for webhook at 127.0.0.1's digest (daily 18:00 UTC)"
    assert listing.due == START.replace(hour=18)
    alerting.lab.advance(hours=7)
    change(alerting.lab.db, SLUG, status=CampaignStatus.PAUSED)
    assert send(alerting).held == 2
    change(alerting.lab.db, SLUG, status=CampaignStatus.ACTIVE)
    assert send(alerting).sent == 1
    assert b"2 important people engaged" in boss.requests[0][1]
    assert (len(team.requests), send(alerting).sent) == (2, 0)


def test_a_vip_waits_for_no_digest_of_a_receiver(alerting: Alerting, boss: Hook) -> None:
    name = alerting.important[1].username
    change(alerting.lab.db, SLUG, channels=(f"slack={boss.url},digest=hourly",), vips=(name,))
    assert send(alerting).sent == 1


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("email=a@b.example,min=5,digest=hourly", "email=a@b.example,min=5,digest=hourly"),
        ("email,digest=daily,min=5.5", "email,min=5.5,digest=daily 08:00 UTC"),
        ("webhook=https://h.example/?a=b,min=1", "webhook=https://h.example/?a=b,min=1"),
        ("slack,digest=off", "slack"),
        ("slack,digest=weekly", None),
        ("slack,min=1,min=2", None),
        ("slack,digest=daily 25:00", None),
        ("slack,colour=red", None),
    ],
)
def test_a_receiver_is_read_as_it_is_written(text: str, spelling: str | None) -> None:
    if spelling is None:
        with pytest.raises(ValueError, match=r"digest|duplicate|recipient"):
            parse_receiver(text)
    else:
        assert parse_receiver(text).spelling == spelling
        assert parse_receiver(spelling) == parse_receiver(text)


def test_of_many_receivers_that_answer_at_once_none_leaves_a_stale_status(alerting: Alerting) -> None:
    alerting.settings["timeout"] = 30.0  # what is late on a busy machine may have arrived, and is told again
    with hook() as one:
        channels = tuple(f"slack={one.url}/{number}" for number in range(12))
        change(alerting.lab.db, SLUG, channels=channels)
        for who in range(4):
            alerting.engage(who, QUOTES)
        alerting.collect()
        for _ in range(3):
            send(alerting)
        assert len(one.requests) == 12 * 4
    assert dict(alert_queue.totals(alerting.lab.db).alerts) == {"sent": 5}


@pytest.mark.parametrize("how", ["paused", "silenced", "quiet hours"])
def test_a_message_that_failed_waits_too_when_its_campaign_does(
    alerting: Alerting, boss: Hook, how: str
) -> None:
    db, refusal = alerting.lab.db, b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"
    taken, boss.answer = boss.answer, refusal
    change(db, SLUG, channels=to(boss))
    assert send(alerting).failed == 1
    boss.answer = taken
    now = alerting.lab.now()
    if how == "paused":
        change(db, SLUG, status=CampaignStatus.PAUSED)
    elif how == "silenced":
        alert_queue.put_silence(db, Silence("one", now + timedelta(hours=1), now, "ops", campaign_id=SLUG))
    else:
        change(db, SLUG, quiet_hours="11:00-13:00")
    alerting.lab.advance(minutes=30)
    assert (send(alerting).sent, status_and_reason(alerting)[0]) == (0, "held")
    assert dict(alert_queue.totals(db).holds) == {how: 1}
    change(db, SLUG, status=CampaignStatus.ACTIVE)
    alerting.lab.advance(minutes=60)
    assert (send(alerting).sent, status_and_reason(alerting)[0]) == (1, "sent")
    assert (send(alerting).sent, len(boss.requests)) == (0, 2)


def test_a_shorter_spacing_releases_what_waits_for_its_time(alerting: Alerting) -> None:
    change(alerting.lab.db, SLUG, spacing_minutes=600)
    assert (alerting.send().planned, status_and_reason(alerting)[0]) == (1, "pending")
    change(alerting.lab.db, SLUG, spacing_minutes=0)
    assert alerting.send().sent == 1


def test_one_address_is_told_of_some_at_once_and_of_the_others_in_a_digest(
    alerting: Alerting, boss: Hook
) -> None:
    change(
        alerting.lab.db, SLUG, channels=(f"slack={boss.url},digest=daily 18:00", f"slack={boss.url},min=15")
    )
    alerting.engage(4)  # 16; what is there has 13
    alerting.collect()
    assert send(alerting).sent == 1
    assert alerting.important[4].username.encode() in boss.requests[0][1]
    alerting.lab.advance(hours=7)
    assert (send(alerting).sent, send(alerting).sent, len(boss.requests)) == (1, 0, 2)


@pytest.mark.parametrize("option", ["min=50", "digest=daily 18:00"])
def test_somebody_who_is_named_a_vip_while_an_alert_waits_is_told_of_to_everybody_at_once(
    alerting: Alerting, boss: Hook, option: str
) -> None:
    db = alerting.lab.db
    change(db, SLUG, channels=(f"slack={boss.url},{option}",))
    assert (send(alerting).sent, status_and_reason(alerting)[0]) == (0, "held")
    change(db, SLUG, vips=(alerting.important[1].username,))
    assert send(alerting).sent == 1
    assert b"VIP" in boss.requests[0][1]
    (listing,) = alert_queue.listed(db, AlertFilter(), limit=5)
    assert listing.alert.is_vip


def test_a_receiver_that_is_replaced_by_one_of_another_channel_loses_nothing(
    alerting: Alerting, team: Hook, boss: Hook
) -> None:
    db = alerting.lab.db
    settings: dict[str, Any] = {"webhook_hosts": ["127.0.0.1"], "webhook_secret": "key"}
    told, later = f"slack={team.url}", f"slack={boss.url},digest=daily 18:00"
    with hook(reply(503)) as old, hook() as new:
        change(db, SLUG, channels=(told, later, f"slack={old.url}"))
        result = alerting.send(**settings)
        assert (result.sent, result.failed, result.held) == (1, 1, 1)
        change(db, SLUG, channels=(told, later, f"webhook={new.url}"))
        assert alerting.send(**settings).sent == 1
        assert (len(team.requests), len(boss.requests), len(new.requests)) == (1, 0, 1)


def test_a_score_that_falls_while_a_message_waits_for_its_channel_holds_it(
    alerting: Alerting, boss: Hook
) -> None:
    db, taken = alerting.lab.db, boss.answer
    change(db, SLUG, channels=to(boss))
    boss.answer = reply(503)
    assert send(alerting).failed == 1
    boss.answer = taken
    db.engagements.update_many({}, {"$set": {"importance_score": 2.5}})
    alerting.lab.advance(minutes=30)
    assert send(alerting).sent == 0
    assert status_and_reason(alerting) == ("held", "importance 2.5 is below the campaign's threshold of 10")


def test_messages_of_a_campaign_that_cannot_be_read_wait_for_somebody_to_mend_it(
    alerting: Alerting, boss: Hook
) -> None:
    db, taken = alerting.lab.db, boss.answer
    change(db, SLUG, channels=to(boss))
    boss.answer = reply(503)
    send(alerting)
    boss.answer = taken
    (window,) = db.campaigns.distinct("monitor_window", {"_id": SLUG})
    db.campaigns.update_one({"_id": SLUG}, {"$unset": {"monitor_window": ""}})
    alerting.lab.advance(minutes=30)
    assert (send(alerting).dead, status_and_reason(alerting)) == (1, ("dead", "its campaign cannot be read"))
    db.campaigns.update_one({"_id": SLUG}, {"$set": {"monitor_window": window}})
    alert_messages.retry(db, now=alerting.lab.now())
    assert send(alerting).sent == 1


def test_a_tweet_that_joins_while_alerts_are_planned_is_considered_by_the_next_run(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    db, now, tweet = alerting.lab.db, alerting.lab.now(), alerting.lab.tweet_ids[0]
    campaigns.insert(db, campaign("other", at=now))
    row = CampaignTweet("other", tweet, TweetCategory.MAIN, f"https://x.com/c/status/{tweet}", now, "client")
    marked = engagements.mark_planned

    def join_meanwhile(db: Db, considered: Iterable[Engagement]) -> None:
        marked(db, considered)
        campaigns.add_tweets(db, [row])

    monkeypatch.setattr(engagements, "mark_planned", join_meanwhile)
    assert alerting.send().planned == 1
    monkeypatch.undo()
    assert alerting.send().planned == 1


@pytest.mark.parametrize(
    ("largest", "messages", "counts"),
    [
        (100_000, [5], {"sent": 5}),
        (4_000, [2, 3], {"sent": 5}),
        (1_500, [1] * 5, {"sent": 5}),
        (100, [], {"dead": 5}),
    ],
)
def test_what_a_webhook_refuses_as_too_large_arrives_in_smaller_messages(
    alerting: Alerting, team: Hook, largest: int, messages: list[int], counts: dict[str, int]
) -> None:
    team.largest = largest
    change(alerting.lab.db, SLUG, channels=(f"webhook={team.url}",))
    for who in (0, 2, 3, 4):
        alerting.engage(who)
    alerting.collect()
    same = {"name": "Ann Lee", "bio": "Partner", "text": "This is it.", "categories": []}
    alerting.lab.db.engagements.update_many({}, {"$set": same})
    alerting.send(webhook_hosts=["127.0.0.1"], webhook_secret="key", digest_after=1)
    bodies = [json.loads(body) for _, body in team.requests]
    assert [len(body["people"]) for body in bodies] == messages
    assert len({one["username"] for body in bodies for one in body["people"]}) == sum(messages)
    assert len({headers["webhook-id"] for headers, _ in team.requests}) == len(messages)
    assert dict(alert_queue.totals(alerting.lab.db).alerts) == counts


def test_a_message_of_which_a_part_arrived_is_sent_again_as_a_possible_duplicate(
    alerting: Alerting, team: Hook
) -> None:
    team.answers = [reply(413), team.answer, reply(503)]
    change(alerting.lab.db, SLUG, channels=(f"webhook={team.url}",))
    alerting.engage(2)
    alerting.collect()
    settings: dict[str, Any] = {
        "webhook_hosts": ["127.0.0.1"], "webhook_secret": "key", "digest_after": 1, "slack_webhook": None,
    }  # fmt: skip
    assert alerting.send(**settings).unknown == 1
    alerting.lab.advance(minutes=5)
    assert alerting.send(**settings).sent == 1
    marks = [json.loads(body)["may_be_repeated"] for _, body in team.requests]
    assert marks == [False, False, False, True]


@pytest.mark.parametrize(
    ("status", "minutes", "disabled"), [(404, 0, 0), (404, 62, 0), (404, 70, 1), (410, 0, 1)]
)
def test_an_address_that_is_not_found_is_disabled_when_that_lasts_an_hour(
    alerting: Alerting, team: Hook, status: int, minutes: int, disabled: int
) -> None:
    team.answer = reply(status)
    change(alerting.lab.db, SLUG, channels=to(team))
    for _ in range(0, minutes + 1, 2):
        send_alone(alerting)
        alerting.lab.advance(minutes=2)
    assert len(rate_limits.switched_off(alerting.lab.db)) == disabled
    assert status_and_reason(alerting)[0] == ("dead" if disabled else "sending")


def send_alone(alerting: Alerting) -> SendResult:
    """Without any receiver of the configuration."""
    return alerting.send(webhook_hosts=["127.0.0.1"], slack_webhook=None)


def refuse_for_good(*answers: Hook) -> None:
    for one in answers:
        one.answer = reply(404, b"no_service")


def test_several_runs_report_a_dead_channel_once(alerting: Alerting, team: Hook, boss: Hook) -> None:
    change(alerting.lab.db, SLUG, channels=to(team, boss))
    refuse_for_good(team)
    boss.pause = 0.01
    context = alerting.context(webhook_hosts=["127.0.0.1"], slack_webhook=None, timeout=5.0)
    runs = [threading.Thread(target=send_alerts, args=(context,)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    send_alerts(context)
    assert sum(b"is disabled" in body for _, body in boss.requests) == 1


def test_a_report_that_a_run_died_over_is_made_by_a_later_one(
    alerting: Alerting, team: Hook, boss: Hook
) -> None:
    db = alerting.lab.db
    change(db, SLUG, channels=to(team, boss))
    refuse_for_good(team)
    boss.answer, taken = reply(503), boss.answer
    send_alone(alerting)
    boss.answer = taken
    for until, reports in ((9e15, 0), (1.0, 1), (1.0, 1)):
        db.channels.update_many({"off_since": {"$ne": None}}, {"$set": {"reporting_until": until}})
        send_alone(alerting)
        assert sum(b"is disabled" in body for _, body in boss.requests[2:]) == reports


def test_a_dead_channel_is_reported_to_no_other_clients_receivers(
    alerting: Alerting, team: Hook, boss: Hook
) -> None:
    db = alerting.lab.db
    campaigns.insert(db, campaign("other", at=alerting.lab.now(), channels=to(boss)))
    change(db, SLUG, channels=to(team))
    refuse_for_good(team)
    result = send_alone(alerting)
    assert any("is disabled" in warning for warning in result.warnings)
    assert boss.requests == []


def test_an_address_waits_no_longer_than_it_can_have_been_told_to(alerting: Alerting, team: Hook) -> None:
    """The database's clock was put back by a day since."""
    db, ahead = alerting.lab.db, (time.time() + 86_400) * 1000
    change(db, SLUG, channels=to(team))
    address = address_id("slack", team.url)
    for moment in ("tat", "blocked_until"):
        db.channels.update_one({"_id": address}, {"$set": {moment: ahead}}, upsert=True)
    assert send(alerting).sent == 1
