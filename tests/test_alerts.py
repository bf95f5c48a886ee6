"""Alerts over a real webhook and a real SMTP server: every one arrives, once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import SLUG, Lab, campaign, change
from support.mortal import Killed, MortalDb

from socap_cli.alerts import mail, slack
from socap_cli.alerts.plan import held_until, run_batch, spread
from socap_cli.alerts.send import Outlets, SendResult, plan_new, send_due
from socap_cli.errors import ConfigError
from socap_cli.model import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.simulator.mailbox import Mailbox
from socap_cli.store import Db, alerts
from socap_cli.store.importance import FirmCollections

FIRM = FirmCollections()


class Desk:
    """A campaign whose important accounts are known, with its outlets."""

    def __init__(self, lab: Lab, **outlets: Any) -> None:
        self.lab = lab
        sink = f"{lab.simulator.url}/sim/slack"
        host = lab.simulator.url.removeprefix("http://")
        self.outlets = replace(
            Outlets(slack_webhook=sink, webhook_hosts=(host,), slack_interval=0.0, timeout=0.5), **outlets
        )
        self.important = lab.world.accounts[:5]
        lab.db.following_index.insert_many(
            [
                {
                    "followed_user_id": a.user_id,
                    "followed_username": a.username,
                    "followed_by": [{"username": "boss", "weight": 12}],
                    "importance_score": 12 + n,
                }
                for n, a in enumerate(self.important)
            ]
        )
        lab.cycle()  # counters are 0 now: whatever comes is new

    def engage(self, who: int, kind: Kind = REPLIES, *, tweet: int = 0) -> None:
        lab = self.lab
        lab.world.engage(lab.tweet_ids[tweet], kind, lab.now(), account=self.important[who])

    def collect(self) -> None:
        self.lab.enqueue()
        self.lab.work_by_hand()

    def send(self, db: Db | None = None, **outlets: Any) -> SendResult:
        database = db if db is not None else self.lab.db
        now = self.lab.now()
        planned = plan_new(database, FIRM, now=now)
        chosen = replace(self.outlets, **outlets)
        return send_due(database, chosen, now=now, planned=planned, sleep=lambda _: None)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.lab.simulator.slack.messages


@pytest.fixture
def desk(lab: Callable[..., Lab]) -> Desk:
    return Desk(lab(tweets=2))


def test_an_important_engagement_is_told_once(desk: Desk) -> None:
    desk.engage(1)
    desk.collect()
    assert (desk.send().sent, desk.send().sent, len(desk.messages)) == (1, 0, 1)
    (message,) = desk.messages
    assert desk.important[1].username in message["text"]
    assert "followed by @boss" in message["blocks"][1]["text"]["text"]


def test_what_is_below_the_threshold_is_not_told(desk: Desk) -> None:
    change(desk.lab.db, SLUG, threshold=100)
    desk.engage(1)
    desk.collect()
    assert desk.send().planned == 0


def test_vips_are_told_whatever_their_importance_and_ignored_people_never(desk: Desk) -> None:
    names = [a.username.lower() for a in desk.important]
    change(desk.lab.db, SLUG, threshold=100, vips=(names[0],), spacing_minutes=600)
    desk.engage(0)
    desk.collect()
    assert desk.send().sent == 1
    change(desk.lab.db, SLUG, threshold=1, vips=(), ignores=(names[1],), spacing_minutes=0)
    desk.lab.advance(minutes=1)
    desk.engage(1)
    desk.collect()
    assert desk.send().planned == 0


def test_alerts_are_spread_over_the_spacing_window(desk: Desk) -> None:
    change(desk.lab.db, SLUG, spacing_minutes=20)
    for who in range(5):
        desk.engage(who)
    desk.collect()
    assert desk.send().planned == 5
    desk.lab.advance(minutes=20)
    desk.send()
    assert len(desk.messages) == 5


def test_the_same_person_and_action_is_held_back_and_merged_not_dropped(desk: Desk) -> None:
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 1
    for _ in range(3):
        desk.lab.advance(minutes=5)
        desk.engage(1)
        desk.collect()
        assert desk.send().sent == 0
    desk.lab.advance(minutes=20)
    assert desk.send().sent == 1
    assert "3 times" in desk.messages[-1]["text"]


def test_another_action_of_the_same_person_is_told_at_once(desk: Desk) -> None:
    desk.engage(1)
    desk.engage(1, QUOTES)
    desk.collect()
    assert desk.send().sent == 2


def test_the_window_is_judged_on_times_not_on_clock_hours() -> None:
    told = datetime.fromisoformat("2026-03-02T12:59:00+00:00")
    window = timedelta(minutes=30)
    assert held_until(told, window, told + timedelta(minutes=2)) == told + window
    assert held_until(told, window, told + window) is None
    assert held_until(None, window, told) is None


def test_backfill_is_one_summary(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=2)
    for account in one.world.accounts[:5]:
        one.world.engage(one.tweet_ids[0], RETWEETS, one.now(), account=account)
    desk = Desk(one)
    result = desk.send()
    assert (result.planned, result.sent, len(desk.messages)) == (5, 1, 1)
    assert "5 important people had engaged before" in desk.messages[0]["text"]


def test_a_shared_tweet_is_told_to_each_campaign_by_its_own_webhook(desk: Desk) -> None:
    lab = desk.lab
    own = f"{lab.simulator.url}/sim/slack?own"
    lab.add_campaign(campaign("other", at=lab.now(), slack_webhook=own))
    desk.engage(1)
    desk.collect()
    assert desk.send().sent == 2
    assert lab.db.alert_history.distinct("campaign_id") == [SLUG, "other"]
    assert len(lab.db.alert_history.distinct("receiver_mark")) == 2


def test_an_importance_that_could_not_be_looked_up_is_looked_up_again(desk: Desk) -> None:
    desk.engage(1)
    desk.collect()
    desk.lab.db.engagements.update_many({}, {"$set": {"importance_score": None}})
    assert desk.send().sent == 1
    assert desk.lab.db.engagements.distinct("importance_score") == [13]


def test_silence_holds_alerts_back_and_loses_none(desk: Desk) -> None:
    change(desk.lab.db, SLUG, silenced_until=desk.lab.now() + timedelta(hours=1))
    desk.engage(1)
    desk.collect()
    assert (desk.send().held, len(desk.messages)) == (1, 0)
    desk.lab.advance(minutes=61)
    assert desk.send().sent == 1


def test_markup_of_strangers_pings_nobody(desk: Desk) -> None:
    desk.important[1].name = "<!channel> & *co*"
    desk.engage(1)
    desk.collect()
    desk.send()
    (message,) = desk.messages
    assert "<!channel>" not in message["text"]
    assert "<!channel>" not in message["blocks"][1]["text"]["text"]
    assert message["blocks"][1]["text"]["verbatim"] is True


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, "no_text", "failed"),
        (500, "oops", "failed"),
        (400, "invalid_blocks", "dead"),
        (404, "no_service", "dead"),
        (410, "channel_is_archived", "dead"),
    ],
)
def test_what_slack_refuses_is_kept_with_its_state(desk: Desk, status: int, body: str, state: str) -> None:
    desk.lab.simulator.slack.status, desk.lab.simulator.slack.body = status, body
    desk.engage(1)
    desk.collect()
    result = desk.send()
    assert {"failed": result.failed, "dead": result.dead}[state] == 1
    assert alerts.counts(desk.lab.db) == {state: 1}


def test_a_failed_delivery_is_sent_when_slack_is_back(desk: Desk) -> None:
    desk.lab.simulator.slack.status = 500
    desk.engage(1)
    desk.collect()
    desk.send()
    desk.lab.simulator.slack.status = 200
    desk.lab.simulator.slack.messages.clear()
    desk.lab.advance(minutes=2)
    assert (desk.send().sent, len(desk.messages)) == (1, 1)


def test_a_limited_webhook_rests_and_everything_arrives_later(desk: Desk) -> None:
    slack_ = desk.lab.simulator.slack
    slack_.status, slack_.retry_after = 429, "30"
    for who in range(3):
        desk.engage(who)
    desk.collect()
    assert desk.send().failed == 1
    slack_.status, slack_.retry_after = 200, None
    slack_.messages.clear()
    desk.lab.advance(minutes=1)
    assert (desk.send().sent, len(desk.messages)) == (3, 3)


def test_a_dead_channel_is_switched_off_and_reported_by_mail(desk: Desk, mailbox: Mailbox) -> None:
    desk.lab.simulator.slack.status = 404
    for who in range(3):
        desk.engage(who)
    desk.collect()
    change(desk.lab.db, SLUG, channels=("slack",))
    result = desk.send(mail_server=mail.parse_server(mailbox.url), mail_to=("ops@agency.example",))
    assert (result.dead, len(desk.messages), len(mailbox.messages)) == (1, 1, 1)
    assert "switched off" in str(mailbox.messages[0]["Subject"])
    assert alerts.counts(desk.lab.db) == {"dead": 3}
    desk.lab.simulator.slack.status = 200
    assert alerts.retry_dead(desk.lab.db, campaign_id=None, now=desk.lab.now()) == 3
    assert desk.send().sent == 3


def test_an_answer_that_never_came_is_unknown_and_its_repeat_says_so(desk: Desk) -> None:
    desk.lab.simulator.slack.hang_seconds = 0.8
    desk.engage(1)
    desk.collect()
    assert desk.send().unknown == 1
    desk.lab.simulator.slack.hang_seconds = 0.0
    desk.lab.advance(minutes=2)
    assert desk.send(resend_unknown=False).sent == 0
    assert desk.send().sent == 1
    assert "repeated" in desk.messages[-1]["text"]


def test_nothing_is_lost_when_no_channel_is_configured_yet(desk: Desk) -> None:
    desk.engage(1)
    desk.collect()
    result = desk.send(slack_webhook=None)
    assert "no channel is configured" in result.warnings[0]
    assert desk.send().sent == 1


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
def test_killed_at_each_of_its_writes_no_alert_is_lost_and_a_repeat_says_so(
    lab: Callable[..., Lab], after: bool
) -> None:
    desk = Desk(lab(tweets=2))
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
        past = datetime.fromtimestamp(0).astimezone()
        desk.lab.db.alert_history.update_many({"state": "sending"}, {"$set": {"lease_expires_at": past}})
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


def test_one_mail_a_receiver_with_a_message_id_that_stays(desk: Desk, mailbox: Mailbox) -> None:
    change(desk.lab.db, SLUG, channels=("email",), client_email="client@example.com")
    desk.important[1].name = "Bobby <b>Tables</b>\r\nBcc: x@y.example"
    desk.engage(1)
    desk.collect()
    options: dict[str, Any] = {
        "mail_server": mail.parse_server(mailbox.url),
        "mail_to": ("team@agency.example",),
    }
    assert desk.send(**options).sent == 2
    by_receiver = {str(m["To"]): m for m in mailbox.messages}
    assert set(by_receiver) == {"team@agency.example", "client@example.com"}
    first = by_receiver["client@example.com"]
    assert first["Bcc"] is None
    assert first["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in first.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert "<b>Tables" not in _text(first, 1)
    desk.lab.db.alert_history.update_many({}, {"$set": {"state": "unknown", "may_have_arrived": True}})
    desk.send(**options)
    again = [m for m in mailbox.messages if m["To"] == "client@example.com"]
    assert len(again) == 2
    assert again[0]["Message-ID"] == again[1]["Message-ID"]


def _text(message: Message, part: int) -> str:
    content = message.get_payload(part)
    assert isinstance(content, Message)
    payload = content.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@pytest.mark.parametrize(("reply", "state"), [("550 no such user", "dead"), ("451 later", "failed")])
def test_one_refused_recipient_leaves_the_others_be(
    desk: Desk, mailbox: Mailbox, reply: str, state: str
) -> None:
    change(desk.lab.db, SLUG, channels=("email",))
    mailbox.answers["bad@agency.example"] = reply
    desk.engage(1)
    desk.collect()
    to = ("bad@agency.example", "good@agency.example")
    result = desk.send(mail_server=mail.parse_server(mailbox.url), mail_to=to)
    assert result.sent == 1
    assert alerts.counts(desk.lab.db) == {"sent": 1, state: 1}


def test_a_mail_server_that_is_down_is_tried_again(desk: Desk) -> None:
    change(desk.lab.db, SLUG, channels=("email",))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    desk.engage(1)
    desk.collect()
    result = desk.send(mail_server=mail.parse_server(f"smtp://127.0.0.1:{port}"), mail_to=("a@b.example",))
    assert result.failed == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://evil.example/services/T0/B0/secret", "may not go to evil.example"),
        ("http://hooks.slack.com/services/T0/B0/secret", "plain http"),
        ("hooks.slack.com/secret", "not a URL"),
        ("https://hooks.slack.com.evil.example/secret", "may not go to"),
        ("https://hooks.slack.com@evil.example/secret", "may not go to"),
    ],
)
def test_a_webhook_goes_only_where_it_may_and_is_never_shown(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        slack.check_address(url, ("hooks.slack.com",))
    assert "secret" not in f"{raised.value} {raised.value.hint}"


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
