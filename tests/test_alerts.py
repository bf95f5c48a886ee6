"""Alerts over a real webhook and a real SMTP server: every one arrives, once, in time, and says why."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.alerting import Alerting
from support.backups import backup, place
from support.lab import SLUG, Lab, campaign, change
from support.mortal import Killed, MortalDb
from support.servers import hook, mail_server, reply

from socap_cli.alerts.rules import Situation, Target, Targets, release, run_batch, spread
from socap_cli.alerts.send import ANOTHER_PLANS, LOCK, preview, send_alerts
from socap_cli.channels import CHANNELS
from socap_cli.channels.slack import Slack
from socap_cli.model.alert import Alert, AlertStatus, Hold, HoldReason, Silence
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS
from socap_cli.model.message import Message
from socap_cli.store import (
    alert_messages,
    alert_queue,
    campaigns,
    connect,
    engagements,
    importance,
    rate_limits,
)
from socap_cli.store.alert_queue import AlertFilter
from socap_cli.store.backup import restore


@pytest.fixture
def desk(lab: Callable[..., Lab]) -> Alerting:
    return Alerting(lab(tweets=2))


def statuses(desk: Alerting) -> dict[str, int]:
    return dict(alert_queue.totals(desk.lab.db).alerts)


def reasons(desk: Alerting) -> dict[str, int]:
    return dict(alert_queue.totals(desk.lab.db).holds)


def test_an_important_engagement_is_told_once(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    assert (desk.send().sent, desk.send().sent, len(desk.messages)) == (1, 0, 1)
    (message,) = desk.messages
    account = desk.important[1]
    assert message["text"].startswith(f"Launch: {account.name} (@{account.username}) replied to @")
    assert "followed by @boss (12)" in desk.told()
    (row,) = desk.lab.db.alert_history.find()
    assert (row["campaign_id"], row["user_id"], row["action_type"]) == (SLUG, account.user_id, "reply")
    assert row["sent_at"] is not None
    (alert,) = desk.lab.db.alert_queue.find()
    assert (alert["status"], alert["run_batch"]) == ("sent", run_batch(desk.lab.now()))
    assert alert["scheduled_send_time"] <= desk.lab.now()


def test_what_is_below_the_threshold_is_not_told(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, threshold=100.0)
    desk.engage(1)
    desk.collect()
    assert desk.send().planned == 0


def test_vips_are_told_whatever_their_importance_and_ignored_people_never(desk: Alerting) -> None:
    names = [account.username.upper() for account in desk.important]
    change(desk.lab.db, SLUG, threshold=100.0, vips=(names[0],), spacing_minutes=600)
    desk.engage(0)
    desk.collect()
    assert desk.send().sent == 1
    assert desk.messages[0]["text"].startswith("Launch: VIP ")
    change(desk.lab.db, SLUG, threshold=1.0, vips=(), ignores=(names[1],), spacing_minutes=0)
    desk.lab.advance(minutes=1)
    desk.engage(1)
    desk.collect()
    assert desk.send().planned == 0


@pytest.mark.parametrize("is_indexed", [False, True], ids=["first seen", "indexed"])
@pytest.mark.parametrize("listed", ["vips", "ignores"])
def test_a_listed_handle_means_one_account_whoever_has_it_later(
    desk: Alerting, listed: str, is_indexed: bool
) -> None:
    db, (ada, eve, *_) = desk.lab.db, desk.important
    if not is_indexed:
        db.following_index.delete_many({"followed_user_id": ada.user_id})
    threshold = 100.0 if listed == "vips" else 0.0
    change(db, SLUG, threshold=threshold, **{listed: (ada.username,)})
    planned = []
    for account, handle in ((ada, ada.username), (eve, ada.username.upper()), (ada, "another_handle")):
        for kind in (QUOTES, REPLIES) if handle == "another_handle" else (RETWEETS,):
            desk.lab.world.engage(desk.lab.tweet_ids[0], kind, desk.lab.now(), account=account)
        desk.collect()
        db.engagements.update_many(
            {"user_id": account.user_id, "needs_planning": True}, {"$set": {"username": handle}}
        )
        planned.append(desk.send().planned)
    assert planned == ([1, 0, 2] if listed == "vips" else [0, 1, 0])


def test_alerts_are_spread_over_the_spacing_window(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    for who in range(5):
        desk.engage(who)
    desk.collect()
    assert desk.send().planned == 5
    assert 0 < statuses(desk)["pending"] <= 5
    desk.lab.advance(minutes=20)
    desk.send()
    assert len(desk.messages) == 5


@pytest.mark.parametrize(("minutes", "messages"), [(20, 5), (0, 1)], ids=["spaced", "at once"])
def test_what_is_spaced_goes_out_one_by_one_also_when_a_run_comes_late(
    desk: Alerting, minutes: int, messages: int
) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=minutes)
    for who in range(5):
        desk.engage(who)
    desk.collect()
    desk.send(slack_webhook=None)
    times = desk.lab.db.alert_queue.distinct("scheduled_send_time")
    assert (max(times) - min(times) >= timedelta(minutes=10)) is bool(minutes)
    desk.lab.advance(minutes=30)
    assert desk.send(digest_after=3).sent == messages


def test_one_message_tells_everything_that_a_person_did(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    for kind in (REPLIES, QUOTES, RETWEETS):
        for tweet in (0, 1):
            desk.engage(1, kind, tweet=tweet)
    desk.collect()
    desk.send()
    desk.lab.advance(minutes=20)
    desk.send()
    (message,) = desk.messages
    assert "engaged 6 times: " in message["text"]
    assert statuses(desk) == {"sent": 6}


def test_the_same_person_and_action_is_held_back_and_merged_not_dropped(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 1
    for _ in range(3):
        desk.lab.advance(minutes=5)
        desk.engage(1)
        desk.collect()
        result = desk.send()
        assert result.sent == 0
    assert (result.held, reasons(desk)) == (3, {"repeat window": 3})
    desk.lab.advance(minutes=20)
    assert desk.send().sent == 1
    assert "3 times" in desk.messages[-1]["text"]


def test_a_message_that_never_arrived_does_not_count_for_the_repeat_window(desk: Alerting) -> None:
    slack_ = desk.lab.simulator.slack
    slack_.status, slack_.body = 400, "invalid_blocks"
    desk.engage(1)
    desk.collect()
    assert desk.send().dead == 1
    slack_.status, slack_.body = 200, "ok"
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 1


def test_a_shorter_frequency_window_releases_what_it_held(desk: Alerting) -> None:
    for _ in range(2):
        desk.engage(1)
        desk.collect()
        desk.send()
    assert reasons(desk) == {"repeat window": 1}
    change(desk.lab.db, SLUG, frequency_window_minutes=0)
    assert desk.send().sent == 1


def test_another_action_of_the_same_person_is_told_at_once(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 1
    desk.engage(1, QUOTES)
    desk.collect()
    assert desk.send().sent == 1


def test_what_was_there_before_is_one_summary(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=2)
    for account in one.world.accounts[:5]:
        one.world.engage(one.tweet_ids[0], RETWEETS, one.now(), account=account)
    desk = Alerting(one)
    result = desk.send()
    assert (result.planned, result.sent, len(desk.messages)) == (5, 1, 1)
    assert "5 important people engaged before" in desk.messages[0]["text"]
    for account in one.world.accounts[:5]:
        assert f"@{account.username}" in desk.told()


def test_a_baseline_of_many_people_is_one_message_that_lists_the_most_important(
    lab: Callable[..., Lab],
) -> None:
    one = lab(tweets=1)
    for account in one.world.accounts[:40]:
        one.world.engage(one.tweet_ids[0], RETWEETS, one.now(), account=account)
    change(one.db, SLUG, threshold=0.0)
    desk = Alerting(one)
    assert (desk.send().planned, len(desk.messages)) == (40, 1)
    assert desk.messages[0]["text"].startswith(
        "Launch: 40 important people engaged before monitoring started"
    )
    assert "the 15 most important of 40 people" in str(desk.messages[0]["blocks"][-1])
    assert all(f"@{account.username}" in desk.told() for account in desk.important)
    assert statuses(desk) == {"sent": 40}


def test_a_campaign_that_joins_later_hears_of_what_was_there_in_one_summary(desk: Alerting) -> None:
    for who in range(3):
        desk.engage(who)
    desk.collect()
    desk.send()
    desk.lab.advance(minutes=30)
    desk.lab.add_campaign(campaign("other", at=desk.lab.now()))
    desk.messages.clear()
    desk.collect()
    assert desk.send().sent == 1
    assert desk.messages[0]["text"].startswith("Other: 3 important people engaged before")


def test_a_pause_makes_alerts_wait_and_loses_none(desk: Alerting) -> None:
    desk.lab.enqueue()
    change(desk.lab.db, SLUG, status=CampaignStatus.PAUSED)
    desk.engage(1)
    desk.lab.work_by_hand()
    assert (desk.send().held, reasons(desk)) == (1, {"paused": 1})
    desk.lab.advance(hours=2)
    change(desk.lab.db, SLUG, status=CampaignStatus.ACTIVE)
    assert desk.send().sent == 1


EDITS: dict[str, Callable[[Alerting], None]] = {
    "a threshold lowered": lambda desk: change(desk.lab.db, SLUG, threshold=1.0),
    "a VIP named": lambda desk: change(desk.lab.db, SLUG, vips=(desk.important[1].username,)),
    "a score that rose": lambda desk: rescored(desk, 50.0),
}


def rescored(desk: Alerting, score: float) -> None:
    (one,) = engagements.read_rows(desk.lab.db.engagements.find())[0]
    importance.write_scores(desk.lab.db, [(one, replace(one, importance=type(one.importance)(score)))])


@pytest.mark.parametrize("edit", list(EDITS))
def test_nothing_falls_between(desk: Alerting, edit: str) -> None:
    change(desk.lab.db, SLUG, threshold=40.0)
    desk.engage(1)
    desk.collect()
    assert desk.send().planned == 0
    desk.lab.advance(hours=5)
    EDITS[edit](desk)
    result = desk.send()
    assert (result.planned, result.sent) == (1, 1)
    assert desk.send().sent == 0


def test_what_settings_do_not_want_any_more_waits_and_is_listed(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    desk.engage(1)
    desk.engage(2)
    desk.collect()
    desk.send()
    name = desk.important[2].username
    change(desk.lab.db, SLUG, threshold=13.5, ignores=(name,))
    desk.lab.advance(minutes=20)
    sent_before = len(desk.messages)
    desk.send()
    assert len(desk.messages) == sent_before
    change(desk.lab.db, SLUG, threshold=1.0, ignores=())
    desk.send()
    assert statuses(desk) == {"sent": 2}


def test_an_alert_that_waits_takes_a_score_that_rose(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    desk.engage(1)
    desk.collect()
    desk.send(slack_webhook=None)
    rescored(desk, 50.0)
    change(desk.lab.db, SLUG, threshold=40.0)
    desk.lab.advance(minutes=20)
    assert desk.send().sent == 1


def test_an_unknown_importance_waits_for_its_score(desk: Alerting, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.engage(1)
    desk.collect()
    desk.lab.db.engagements.update_many({}, {"$set": {"importance_score": None}})
    rows = list(desk.lab.db.following_index.find())
    desk.lab.db.following_index.delete_many({})
    desk.lab.db.create_collection(
        "broken", viewOn="following_index", pipeline=[{"$set": {"x": {"$divide": [1, 0]}}}]
    )
    assert desk.send().planned == 0  # not in the index: 0
    desk.lab.db.following_index.insert_many(rows)
    desk.lab.db.engagements.update_many({}, {"$set": {"importance_score": None, "needs_planning": True}})
    assert desk.send().sent == 1
    assert desk.lab.db.engagements.distinct("importance_score") == [13]


def test_a_shared_tweet_is_told_to_each_campaign_by_its_own_webhook(desk: Alerting) -> None:
    lab = desk.lab
    own = f"{lab.simulator.url}/sim/slack?own"
    lab.add_campaign(campaign("other", at=lab.now(), slack_webhook=own))
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 2
    assert lab.db.alert_history.distinct("campaign_id") == [SLUG, "other"]
    assert len(lab.db.alert_history.distinct("address_id")) == 2


def silence(desk: Alerting, minutes: float, **scope: Any) -> Silence:
    now = desk.lab.now()
    one = Silence("one", now + timedelta(minutes=minutes), now, "ops", "the party", **scope)
    alert_queue.put_silence(desk.lab.db, one)
    return one


def test_a_silence_holds_back_and_what_it_held_comes_as_one_digest(desk: Alerting) -> None:
    silence(desk, 600, campaign_id=SLUG)
    for who in range(3):
        desk.engage(who)
    desk.collect()
    assert (desk.send().held, len(desk.messages)) == (3, 0)
    (listing, *_) = alert_queue.listed(desk.lab.db, AlertFilter(status=AlertStatus.HELD), limit=5)
    assert listing.reason == "silenced (campaign launch) by ops: the party"
    assert listing.due == desk.lab.now() + timedelta(minutes=600)
    desk.lab.advance(minutes=600)
    assert desk.send().sent == 1
    assert desk.messages[0]["text"].startswith("Launch: 3 important people engaged: @")


def test_ending_a_silence_releases_at_once(desk: Alerting) -> None:
    one = silence(desk, 600, campaign_id=SLUG)
    desk.engage(1)
    desk.collect()
    assert desk.send().held == 1
    assert alert_queue.end(desk.lab.db, one) == 1
    assert desk.send().sent == 1


@pytest.mark.parametrize("scope", ["username", "category", "label", "action_type"])
def test_a_silence_covers_what_it_names(desk: Alerting, scope: str) -> None:
    desk.engage(1)
    desk.engage(2, QUOTES)
    desk.collect()
    tweet = next(t for t in campaigns.tweets_of(desk.lab.db, SLUG) if t.tweet_id == desk.lab.tweet_ids[0])
    label = desk.lab.db.engagements.find_one({"action_type": "reply"})["categories"][0]  # type: ignore[index]
    wanted = {
        "username": {"username": desk.important[1].username.upper()},
        "category": {"category": tweet.category.short},
        "label": {"category": label},
        "action_type": {"action_type": "reply"},
    }[scope]
    silence(desk, 60, **wanted)
    assert desk.send().held >= 1
    assert f"@{desk.important[1].username}" not in desk.told()


def test_quiet_hours_hold_all_but_vips_and_end_in_one_digest(desk: Alerting) -> None:
    start = desk.lab.now()  # 12:00 UTC: 13:00 in Berlin
    vip = desk.important[0].username
    change(desk.lab.db, SLUG, quiet_hours="12:30-15:00 Europe/Berlin", vips=(vip,))
    for who in range(4):
        desk.engage(who)
    desk.collect()
    result = desk.send()
    assert (result.sent, result.held) == (1, 3)
    assert vip in desk.messages[0]["text"]
    _, due = alert_queue.due_later(desk.lab.db, after=start)
    assert due == start + timedelta(hours=2)
    desk.lab.advance(hours=2)
    assert desk.send().sent == 1
    assert desk.messages[-1]["text"].startswith("Launch: 3 important people")
    assert [block["text"]["text"].count("importance 16") for block in desk.messages[-1]["blocks"][1:2]] == [0]


def test_hourly_digests_tell_all_but_vips_together(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, digest="hourly", vips=(desk.important[0].username,))
    for who in range(4):
        desk.engage(who)
    desk.lab.advance(minutes=10)
    desk.collect()
    assert (desk.send().sent, reasons(desk)) == (1, {"digest": 3})
    desk.lab.advance(minutes=50)
    assert desk.send().sent == 1
    assert "3 important people" in desk.messages[-1]["text"]


def test_more_people_at_once_than_a_channel_can_bear_are_told_together(desk: Alerting) -> None:
    for who in range(5):
        desk.engage(who)
    desk.collect()
    assert desk.send(digest_after=4).sent == 1
    assert "5 important people engaged" in desk.messages[0]["text"]
    assert statuses(desk) == {"sent": 5}


def test_receivers_have_their_own_least_importance(desk: Alerting) -> None:
    desk.engage(1)  # 13
    desk.engage(4)  # 16
    desk.collect()
    with mail_server() as post:
        smtp = f"smtp://127.0.0.1:{post.port}"
        change(desk.lab.db, SLUG, channels=("slack", "email=boss@fund.example,min=15"))
        result = desk.send(email_smtp=smtp)
    assert (result.sent, len(desk.messages), len(post.messages)) == (3, 2, 1)
    assert desk.important[4].username in str(post.messages[0]["Subject"])


@pytest.mark.parametrize(
    "happens",
    [
        lambda desk: rescored(desk, 50.0),
        lambda desk: change(desk.lab.db, SLUG, vips=(desk.important[1].username,)),
    ],
    ids=["its score rises", "its account is named a VIP"],
)
def test_who_wants_an_alert_only_later_is_told_then_and_nobody_twice(
    desk: Alerting, happens: Callable[[Alerting], object]
) -> None:
    desk.engage(1)  # 13
    desk.collect()
    with mail_server() as post:
        smtp = f"smtp://127.0.0.1:{post.port}"
        change(desk.lab.db, SLUG, channels=("slack", "email=boss@fund.example,min=40"))
        assert desk.send(email_smtp=smtp).sent == 1
        happens(desk)
        assert desk.send(email_smtp=smtp).sent == 1
        assert desk.send(email_smtp=smtp).sent == 0
        happens(desk)
        assert desk.send(email_smtp=smtp).sent == 0
    assert (len(desk.messages), len(post.messages), statuses(desk)) == (1, 1, {"sent": 1})


def test_what_no_receiver_wants_waits_and_is_listed(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, channels=("slack,min=99",))
    desk.engage(1)
    desk.collect()
    assert (desk.send().sent, reasons(desk)) == (0, {"no recipient": 1})
    change(desk.lab.db, SLUG, channels=())
    assert desk.send().sent == 1


def test_nothing_is_lost_when_no_channel_is_configured_yet(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    result = desk.send(slack_webhook=None)
    assert "no channel is configured" in result.warnings[0]
    assert reasons(desk) == {"no channel": 1}
    assert desk.send().sent == 1


def test_a_named_channel_that_is_configured_later_is_made_up_for(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, channels=("slack", "email"))
    desk.engage(1)
    desk.collect()
    result = desk.send()
    assert (result.sent, reasons(desk)) == (1, {"no channel": 1})
    assert "no mail recipient" in result.warnings[0]
    with mail_server() as post:
        settings: dict[str, Any] = {
            "email_smtp": f"smtp://127.0.0.1:{post.port}",
            "email_to": ["team@agency.example"],
        }
        assert desk.send(**settings).sent == 1
        assert desk.send(**settings).sent == 0
    assert (len(desk.messages), len(post.messages), statuses(desk)) == (1, 1, {"sent": 1})


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (500, "oops", "failed"),
        (400, "invalid_blocks", "dead"),
        (404, "no_service", "dead"),
        (410, "channel_is_archived", "dead"),
    ],
)
def test_what_slack_refuses_is_kept_with_its_state(
    desk: Alerting, status: int, body: str, state: str
) -> None:
    desk.lab.simulator.slack.status, desk.lab.simulator.slack.body = status, body
    desk.engage(1)
    desk.collect()
    result = desk.send()
    assert {"failed": result.failed, "dead": result.dead}[state] == 1
    assert dict(alert_queue.totals(desk.lab.db).deliveries) == {state: 1}
    (listing,) = alert_queue.listed(desk.lab.db, AlertFilter(), limit=5)
    assert body in listing.reason or str(status) in listing.reason


def test_a_failed_message_is_sent_when_slack_is_back(desk: Alerting) -> None:
    desk.lab.simulator.slack.status = 500
    desk.engage(1)
    desk.collect()
    desk.send()
    desk.lab.simulator.slack.status = 200
    desk.messages.clear()
    desk.lab.advance(minutes=2)
    assert (desk.send().sent, len(desk.messages)) == (1, 1)
    (listing,) = alert_queue.listed(desk.lab.db, AlertFilter(), limit=5)
    (message,) = alert_queue.messages_of(desk.lab.db, listing)
    assert [attempt.status.value for attempt in message.log] == ["failed", "sent"]


def test_a_channel_that_keeps_failing_is_given_up_and_healed_by_retry(desk: Alerting) -> None:
    desk.lab.simulator.slack.status = 500
    desk.engage(1)
    desk.collect()
    for _ in range(4):
        result = desk.send(max_attempts=3)
        desk.lab.advance(hours=3)
    assert statuses(desk) == {"dead": 1}
    assert len(desk.messages) == 3
    desk.lab.simulator.slack.status = 200
    assert alert_messages.retry(desk.lab.db, now=desk.lab.now()) == 1
    result = desk.send()
    assert (result.sent, statuses(desk)) == (1, {"sent": 1})


@pytest.mark.parametrize(("status", "asks"), [(500, None), (503, "30"), (429, None)])
def test_a_slack_that_is_down_for_a_night_costs_no_alert(
    desk: Alerting, status: int, asks: str | None
) -> None:
    slack_ = desk.lab.simulator.slack
    slack_.status, slack_.retry_after = status, asks
    desk.engage(1)
    desk.collect()
    for _ in range(12 * 12):
        desk.send()
        desk.lab.advance(minutes=5)
    assert 8 < len(desk.messages) < 15
    slack_.status, slack_.retry_after = 200, None
    desk.lab.advance(hours=2)
    assert (desk.send().sent, statuses(desk)) == (1, {"sent": 1})


def test_a_limited_webhook_rests_and_everything_arrives_later(desk: Alerting) -> None:
    slack_ = desk.lab.simulator.slack
    slack_.status, slack_.retry_after = 429, "300"
    for who in range(3):
        desk.engage(who)
    desk.collect()
    assert desk.send().failed == 1
    slack_.status, slack_.retry_after = 200, None
    slack_.messages.clear()
    assert desk.send().sent == 0  # it rests, by the database's clock
    rate_limits.switch_on(desk.lab.db, desk.lab.db.channels.distinct("_id"))
    desk.lab.advance(minutes=5)
    assert (desk.send().sent, len(desk.messages)) == (3, 3)


def test_a_dead_channel_is_switched_off_reported_by_mail_once_and_healed_by_retry(desk: Alerting) -> None:
    desk.lab.simulator.slack.status = 410
    for who in range(3):
        desk.engage(who)
    desk.collect()
    change(desk.lab.db, SLUG, channels=("slack",))
    with mail_server() as post:
        mail: dict[str, Any] = {
            "email_smtp": f"smtp://127.0.0.1:{post.port}",
            "email_to": ["ops@agency.example"],
        }
        assert desk.send(**mail).dead == 1
        desk.send(**mail)
        (report,) = post.messages
    assert "is disabled" in str(report["Subject"])
    assert "secret" not in str(report)
    assert dict(alert_queue.totals(desk.lab.db).deliveries) == {"dead": 3}
    desk.lab.simulator.slack.status = 200
    desk.messages.clear()
    rate_limits.switch_on(desk.lab.db, desk.lab.db.channels.distinct("_id"))
    assert alert_messages.retry(desk.lab.db, now=desk.lab.now()) == 3
    assert (desk.send().sent, statuses(desk)) == (3, {"sent": 3})


def test_a_webhook_that_was_replaced_gets_what_the_old_one_did_not(desk: Alerting) -> None:
    desk.lab.simulator.slack.status = 410
    desk.engage(1)
    desk.collect()
    assert desk.send().dead == 1
    desk.lab.simulator.slack.status = 200
    desk.messages.clear()
    change(desk.lab.db, SLUG, slack_webhook=f"{desk.lab.simulator.url}/sim/slack?new")
    alert_messages.retry(desk.lab.db, now=desk.lab.now())
    assert (desk.send().sent, statuses(desk)) == (1, {"sent": 1})
    alert, report = desk.messages
    assert "blocks" in alert
    assert "is disabled" in report["text"]


def test_an_answer_that_never_came_is_unknown_and_its_repeats_say_so_and_end(desk: Alerting) -> None:
    desk.lab.simulator.slack.hang_seconds = 2.6
    desk.engage(1)
    desk.collect()
    assert desk.send().unknown == 1
    assert desk.send(resend_unknown=False).unknown == 0
    for _ in range(8):
        desk.lab.advance(hours=3)
        desk.send()
    assert statuses(desk) == {"unknown": 1}
    desk.lab.simulator.slack.hang_seconds = 0.0
    assert len(desk.messages) <= 3
    alert_messages.retry(desk.lab.db, now=desk.lab.now())
    assert desk.send().sent == 1
    assert "repeated" in desk.messages[-1]["text"]


def test_every_2xx_is_delivered_and_told_once(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    with hook(reply(200, b'{"success": true}')) as one:
        settings: dict[str, Any] = {"slack_webhook": one.url, "webhook_hosts": ["127.0.0.1"]}
        assert desk.send(**settings).sent == 1
        desk.lab.advance(hours=3)
        assert desk.send(**settings).sent == 0
        assert len(one.requests) == 1


@pytest.mark.parametrize(
    "address",
    ["jörg@example.com", "x@y..z", "a b", "ü@é.example", "", "a@b\r\nBcc: x@y.z", "@"],
)
def test_one_bad_address_costs_nobody_else_their_alerts(desk: Alerting, address: str) -> None:
    stored = address.encode("utf-8", "replace").decode()
    desk.lab.db.campaigns.update_one(
        {"_id": SLUG},
        {"$set": {"alert_preferences.channels": ["email"], "client_info.email": stored}},
    )
    desk.lab.add_campaign(campaign("other", at=desk.lab.now(), channels=("slack",)))
    desk.engage(1)
    desk.collect()
    with mail_server() as post:
        result = desk.send(email_smtp=f"smtp://127.0.0.1:{post.port}", email_to=["team@agency.example"])
    assert len(desk.messages) == 1
    assert len(post.messages) == 1
    assert result.sent == 2


def test_a_delivery_that_raises_dies_alone_and_keeps_its_traceback(
    desk: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Slack):
        name = "broken"

        def send(self, address: str, message: Message) -> None:
            raise ZeroDivisionError(f"cannot tell {message.people[0].username} at {address}")

    monkeypatch.setitem(CHANNELS, "broken", lambda settings, _: Broken(settings))
    desk.engage(1)
    desk.engage(2)
    desk.collect()
    result = desk.send()
    assert (result.sent, result.dead, len(desk.messages)) == (2, 2, 2)
    (listing, _) = alert_queue.listed(desk.lab.db, AlertFilter(), limit=5)
    broken = [m for m in alert_queue.messages_of(desk.lab.db, listing) if m.channel == "broken"]
    assert "ZeroDivisionError: cannot tell" in (broken[0].traceback or "")
    assert "/sim/slack" not in f"{broken} {result.warnings}"
    assert listing.alert.status is AlertStatus.DEAD


BAD_FIELDS = [
    {"$unset": {"username": ""}},
    {"$set": {"categories": None}},
    {"$set": {"first_seen_at": "yesterday"}},
    {"$set": {"importance_score": "much"}},
    {"$set": {"action_type": "waved"}},
    {"$set": {"importance_reasons": [1, 2]}},
    {"$set": {"username": 7}},
]


@pytest.mark.parametrize("damage", BAD_FIELDS, ids=str)
@pytest.mark.parametrize("when", ["before planning", "before sending"])
def test_one_malformed_engagement_costs_no_other(desk: Alerting, damage: dict[str, Any], when: str) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    desk.engage(1)
    desk.engage(2, QUOTES)
    desk.collect()
    if when == "before sending":
        desk.send(slack_webhook=None)
    desk.lab.db.engagements.update_one({"action_type": "reply"}, damage)
    desk.send()
    desk.lab.advance(minutes=20)
    result = desk.send()
    assert f"@{desk.important[2].username}" in desk.told()
    named = desk.lab.db.engagements.distinct("_id", {"username": {"$ne": desk.important[2].username}})
    listed = statuses(desk)
    assert (
        any(key in " ".join(result.warnings) for key in named) or listed.get("dead") or listed == {"sent": 2}
    )


def test_one_malformed_campaign_is_named_and_costs_no_other(desk: Alerting) -> None:
    desk.lab.add_campaign(campaign("other", at=desk.lab.now()))
    desk.lab.db.campaigns.update_one({"_id": SLUG}, {"$unset": {"monitor_window": ""}})
    desk.engage(1)
    desk.lab.db.jobs.update_many({}, {"$set": {"status": "pending"}})
    desk.lab.work_by_hand()
    result = desk.send()
    assert result.sent == 1
    assert (
        "campaign 'launch' is skipped: monitor_window.starts_at is missing in its document" in result.warnings
    )


def test_an_engagement_that_was_erased_is_let_go(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    desk.engage(1)
    desk.collect()
    desk.send()
    desk.lab.db.engagements.delete_many({})
    desk.lab.advance(minutes=20)
    result = desk.send()
    assert (result.dead, len(desk.messages), statuses(desk)) == (0, 0, {"dropped": 1})


def test_an_engagement_that_was_taken_back_is_told_so_without_its_text(desk: Alerting) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    desk.engage(1)
    desk.collect()
    desk.send()
    desk.lab.db.engagements.update_many({}, {"$set": {"removed_at": desk.lab.now(), "text": "oh no"}})
    desk.lab.advance(minutes=20)
    desk.send()
    assert "removed since" in desk.told()
    assert "oh no" not in desk.told()


def test_a_message_says_who_and_why(desk: Alerting) -> None:
    account = desk.important[1]
    account.bio = "Partner at Fund Z"
    account.verified = True
    followers = [{"username": f"p{n}", "weight": n} for n in range(9)]
    desk.lab.db.following_index.update_one(
        {"followed_user_id": account.user_id}, {"$set": {"followed_by": followers}}
    )
    people = [account.username.upper(), desk.important[2].username]
    desk.lab.db.important_people.insert_many(
        [{"username": name, "organisation": "Fund Z"} for name in people]
    )
    desk.engage(2)
    desk.collect()
    desk.lab.advance(minutes=1)
    desk.engage(1)
    desk.collect()
    send_alerts(replace(desk.context(), report_url="https://reports.example/x/"))
    told = desk.told()
    assert "verified" in told
    assert "Partner at Fund Z" in told
    assert "followed by @p8 (8), @p7 (7), @p6 (6) and 6 more of your list" in told
    assert "second of Fund Z in this campaign" in told
    footers = [message["blocks"][-1]["elements"][0]["text"] for message in desk.messages]
    assert all("<https://reports.example/x/launch.html|report>" in footer for footer in footers)
    assert f"<https://reports.example/x/launch.html#q={account.username}|in the report>" in told


def test_a_preview_sends_and_changes_nothing(desk: Alerting) -> None:
    desk.engage(1)
    desk.engage(2)
    desk.collect()
    before = {name: list(desk.lab.db[name].find()) for name in desk.lab.db.list_collection_names()}
    found = preview(desk.context())
    assert (found.planned, len(found.messages)) == (2, 2)
    after = {name: list(desk.lab.db[name].find()) for name in desk.lab.db.list_collection_names()}
    assert (before, desk.messages) == (after, [])
    assert desk.send().sent == len(found.messages)


def test_only_one_campaign_is_sent_when_asked_for(desk: Alerting) -> None:
    desk.lab.add_campaign(campaign("other", at=desk.lab.now()))
    desk.engage(1)
    desk.collect()
    assert desk.send(campaign_id="other").sent == 1
    assert desk.messages[0]["text"].startswith("Other: ")
    assert desk.send().sent == 1


def test_a_run_beside_one_that_plans_sends_what_is_planned(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    desk.send(slack_webhook=None)
    context = replace(desk.context(), lock_patience=0.1)
    with connect.held(desk.lab.db, LOCK):
        result = send_alerts(context)
    assert (result.sent, result.warnings) == (0, (ANOTHER_PLANS,))
    assert send_alerts(context).sent == 1


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
def test_killed_at_each_of_its_writes_no_alert_is_lost_and_a_repeat_says_so(
    lab: Callable[..., Lab], after: bool
) -> None:
    desk = Alerting(lab(tweets=2))
    killed = lives = 0
    while True:
        lives += 1
        for who in (0, 1):
            desk.engage(who)
        desk.collect()
        before = len(desk.messages)
        mortal: Any = MortalDb(desk.lab.db, lives, after=after)
        try:
            desk.send(mortal)
        except Killed:
            killed += 1
        desk.lab.db.locks.update_many({}, {"$set": {"token": None}})
        desk.lab.advance(minutes=2)  # its lease is over
        desk.send()
        fresh = desk.messages[before:]
        for account in desk.important[:2]:
            texts = [m["text"] for m in fresh if account.username in m["text"]]
            assert texts, f"lost at write {lives}"
            assert sum("repeated" not in text for text in texts) <= 1, (
                f"told twice without saying so at {lives}"
            )
            assert len(texts) <= 2
        desk.lab.advance(minutes=45)
        if mortal.lives > 0:
            break
    assert killed > 8


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
def test_what_a_killed_run_left_half_made_is_not_told_once_it_is_silenced(
    lab: Callable[..., Lab], after: bool
) -> None:
    desk = Alerting(lab(tweets=1))
    who = desk.important[0].username
    killed, lives = True, 0
    while killed:
        lives += 1
        desk.engage(0)
        desk.collect()
        before = len(desk.messages)
        mortal: Any = MortalDb(desk.lab.db, lives, after=after)
        with contextlib.suppress(Killed):
            desk.send(mortal)
        killed = mortal.lives <= 0
        desk.lab.db.locks.update_many({}, {"$set": {"token": None}})
        now = desk.lab.now()
        alert_queue.put_silence(desk.lab.db, Silence("all", now + timedelta(minutes=60), now, "ops", ""))
        at_once = len(desk.messages)
        desk.lab.advance(minutes=2)  # its lease is over
        desk.send()
        assert all("repeated" in message["text"] for message in desk.messages[at_once:]), lives
        desk.lab.advance(minutes=61)
        desk.send()
        assert any(who in message["text"] for message in desk.messages[before:]), f"lost at write {lives}"
        desk.lab.advance(minutes=45)
    assert lives > 8


def before_the_outbox(desk: Alerting, *, has_messages: bool = True) -> None:
    """Write messages as versions before the outbox did: their rows were in alert_history alone."""
    db = desk.lab.db
    db.alert_messages.update_many({}, {"$unset": {"rows": "", "revision": "", "withdrawn_rows": ""}})
    if not has_messages:  # a run was killed before it wrote them
        unsent = {"status": {"$ne": "sent"}}
        db.alert_messages.delete_many(unsent)
        db.alert_history.update_many(unsent, {"$set": {"status": "pending", "message_id": None}})
        db.alert_queue.update_many(unsent, {"$set": {"status": "sending"}})


@pytest.mark.parametrize("has_messages", [True, False], ids=["in messages", "in no message yet"])
def test_what_a_version_before_the_outbox_left_unsent_is_sent_once_wherever_a_run_is_killed(
    desk: Alerting, has_messages: bool
) -> None:
    slack_, lives, killed = desk.lab.simulator.slack, 0, True
    change(desk.lab.db, SLUG, frequency_window_minutes=0)
    while killed:
        lives += 1
        slack_.status = 503
        desk.engage(1)
        desk.engage(2)
        desk.collect()
        desk.send()
        before_the_outbox(desk, has_messages=has_messages)
        slack_.status = 200
        desk.messages.clear()
        desk.lab.advance(minutes=5)
        mortal: Any = MortalDb(desk.lab.db, lives, after=False)
        with contextlib.suppress(Killed):
            desk.send(mortal)
        killed = mortal.lives <= 0
        desk.lab.db.locks.update_many({}, {"$set": {"token": None}})
        desk.lab.db.channels.delete_many({})  # the pace of Slack is by the database's clock
        desk.lab.advance(minutes=2)
        desk.send()
        for account in desk.important[1:3]:
            texts = [message["text"] for message in desk.messages if account.username in message["text"]]
            assert len([text for text in texts if "repeated" not in text]) <= 1 <= len(texts) <= 2, lives
        assert set(statuses(desk)) == {"sent"}
    assert lives > 4


def test_who_had_a_message_of_a_version_before_the_outbox_gets_no_second_one(desk: Alerting) -> None:
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 1
    before_the_outbox(desk)
    alert_queue.reopen(desk.lab.db, desk.lab.db.alert_queue.distinct("_id"))
    assert (desk.send().sent, statuses(desk), len(desk.messages)) == (0, {"sent": 1}, 1)


def test_what_may_have_been_sent_before_a_restore_says_so(desk: Alerting, tmp_path: Path) -> None:
    db = desk.lab.db
    desk.engage(1)
    desk.collect()
    path = place(tmp_path, backup(db))
    assert desk.send().sent == 1
    restore(db, path)
    assert db.locks.update_one({"_id": "restored"}, {"$set": {"at": desk.lab.now()}}).matched_count == 1
    assert desk.send().sent == 1
    desk.lab.advance(minutes=5)
    desk.engage(2)
    desk.collect()
    assert desk.send().sent == 1
    assert ["repeated" in message["text"] for message in desk.messages] == [False, True, False]


def test_an_outcome_that_was_overtaken_is_not_written_over_the_newer_one(desk: Alerting) -> None:
    db, slack_ = desk.lab.db, desk.lab.simulator.slack
    slack_.status = 503
    desk.engage(1)
    desk.collect()
    desk.send()
    (failed,) = db.alert_messages.find()
    slack_.status = 200
    desk.lab.advance(minutes=5)
    assert desk.send().sent == 1
    (sent,) = db.alert_messages.find()
    db.alert_messages.replace_one(
        {}, {**failed, "is_recorded": False}
    )  # a slow run reads it before it is sent

    class Overtaken:
        """Another run settles the message while this one copies it."""

        alert_messages, alert_queue = db.alert_messages, db.alert_queue

        @property
        def alert_history(self) -> Any:
            db.alert_messages.replace_one({}, sent)
            return db.alert_history

    alert_messages.record(Overtaken())  # type: ignore[arg-type]
    assert statuses(desk) == {"sent": 1}
    assert [row["status"] for row in db.alert_history.find()] == ["sent"]


def test_an_alert_that_was_held_before_its_time_is_free_as_soon_as_its_reason_goes() -> None:
    """It was told with another one of its person, and waited for a digest that nobody wants any more."""
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    alert = Alert(
        "a", SLUG, "100:reply:1", "100", "7", "ann", "reply", 50.0, False, False,
        scheduled_send_time=now + timedelta(minutes=9), run_batch="", planned_at=now,
    )  # fmt: skip
    held = replace(alert, hold=Hold(HoldReason.DIGEST, "waits", now + timedelta(hours=1)))
    somebody = Targets((Target("slack", "https://hooks.example", "webhook"),))
    situation = Situation(campaign(at=now, spacing_minutes=20), now, somebody)
    assert release(situation, [alert]) == ([], [])
    assert release(situation, [held]) == ([held], [])


@pytest.mark.slow
@given(st.text(min_size=1), st.integers(0, 600))
def test_a_spread_lies_within_its_window_and_is_the_same_each_time(alert_id: str, minutes: int) -> None:
    window = timedelta(minutes=minutes)
    found = spread(alert_id, window)
    assert found == spread(alert_id, window)
    assert timedelta(0) <= found <= window


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_batch_is_the_half_hour_of_its_moment(moment: datetime) -> None:
    start = datetime.fromisoformat(run_batch(moment).replace("Z", ":00+00:00"))
    assert timedelta(0) <= moment - start < timedelta(minutes=30)
    assert start.minute in (0, 30)
