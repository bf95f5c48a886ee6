"""Many alerts at once: VIPs first, every channel at its own pace, several senders sharing the work."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.servers import Hook, hook, mail_server, raw_server, reply
from support.watched import VIP, engage, watch

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.send import SendResult, send_alerts
from socap_cli.channels import open_channels
from socap_cli.channels.slack import Slack
from socap_cli.model.message import Message
from socap_cli.settings import AlertSettings
from socap_cli.store import Db, alert_queue
from socap_cli.store.connect import clock


@pytest.fixture
def watched(db: Db) -> Db:
    watch(db)
    return db


def context(db: Db, **settings: Any) -> AlertContext:
    chosen = AlertSettings.model_validate({"webhook_hosts": ["127.0.0.1"], "timeout": 2.0, **settings})
    return AlertContext(db, open_channels(chosen), chosen, clock(db))


def texts(one: Hook) -> list[str]:
    return [body.decode() for _, body in one.requests]


def shown(text: str) -> str:
    """What a message shows: Slack shows its blocks, or where it cannot the text, which says the same."""
    message = json.loads(text)
    return json.dumps(message["blocks"]) if "blocks" in message else text


def everybody_is_told_once(one: Hook, names: Sequence[str]) -> None:
    told = "\n".join(map(shown, texts(one)))
    for name in names:
        assert told.count(f"I am {name}\\n") + told.count(f'I am {name}"') == 1, name


def test_a_burst_of_500_is_told_in_digests_with_the_vip_first(watched: Db) -> None:
    names = [f"person_{number}" for number in range(500)]
    engage(watched, [*names[:250], VIP, *names[250:]])
    with hook() as one:
        began = time.monotonic()
        result = send_alerts(context(watched, slack_webhook=one.url))
        took = time.monotonic() - began
        first = texts(one)[0]
        assert VIP in first
        assert (result.planned, result.sent) == (501, 1 + 34)  # 15 people a message
        assert took < 34 * 1.1 + 5
        everybody_is_told_once(one, names)
    assert dict(alert_queue.totals(watched).alerts) == {"sent": 501}


def test_a_vip_that_comes_while_a_burst_is_sent_is_told_within_five_seconds(watched: Db) -> None:
    names = [f"person_{number}" for number in range(120)]
    engage(watched, names)
    with hook() as one:
        settings = {"slack_webhook": one.url, "digest_after": 1000}
        results: list[SendResult] = []
        first = threading.Thread(target=lambda: results.append(send_alerts(context(watched, **settings))))
        first.start()
        while len(one.requests) < 3:
            time.sleep(0.01)
        engage(watched, [VIP])
        began = time.monotonic()
        stopping = context(watched, **settings)
        second = threading.Thread(target=lambda: results.append(send_alerts(stopping)))
        second.start()
        while not any(VIP in text for text in texts(one)):
            assert time.monotonic() - began < 5
            time.sleep(0.01)
        assert len(one.requests) < 12  # nobody was told twice as fast for that
        stopping.stop.set()
        watched.alert_messages.update_many(
            {"status": "pending"}, {"$set": {"due": datetime(9999, 1, 1, tzinfo=UTC)}}
        )
        first.join(30)
        second.join(30)
    assert len(results) == 2


def test_several_senders_share_the_work_and_nobody_is_turned_away(watched: Db) -> None:
    names = [f"person_{number}" for number in range(60)]
    engage(watched, names)
    with hook(reply(204)) as one:
        secret = {"webhooks": [one.url], "webhook_secret": "key", "digest_after": 1000}
        results: list[SendResult] = []
        senders = [
            threading.Thread(target=lambda: results.append(send_alerts(context(watched, **secret))))
            for _ in range(4)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert sum(result.sent for result in results) == len(one.requests) == 60
        everybody_is_told_once(one, names)


@pytest.mark.parametrize("slack", ["hangs", "drips", "is slow", "is down"])
def test_a_slack_in_trouble_delays_no_mail(watched: Db, slack: str) -> None:
    names = [f"person_{number}" for number in range(8)]
    engage(watched, names)
    pause = {"hangs": 60.0, "drips": 0.2, "is slow": 0.02, "is down": 0.0}[slack]
    with hook(pause=pause) as one, mail_server() as post:
        url = one.url if slack != "is down" else one.url.replace(str(one.port), "1")
        settings = {
            "slack_webhook": url,
            "email_smtp": f"smtp://127.0.0.1:{post.port}",
            "email_to": ["team@agency.example"],
        }
        running = threading.Thread(target=send_alerts, args=(context(watched, **settings),))
        began = time.monotonic()
        running.start()
        while len(post.messages) < len(names):
            assert time.monotonic() - began < 3
            time.sleep(0.01)
        running.join(40)
        assert not running.is_alive()


def test_a_channel_that_never_comes_back_is_left_alone(watched: Db) -> None:
    engage(watched, ["ann"])
    asleep = threading.Event()

    class Stuck(Slack):
        def send(self, address: str, message: Message) -> None:
            asleep.wait()

    made = context(watched, slack_webhook="http://127.0.0.1:9/x")
    result = send_alerts(replace(made, channels={"slack": Stuck(made.settings)}, lease=0.2))
    assert result.sent == 0
    assert any("does not return" in warning for warning in result.warnings)
    asleep.set()


def test_a_mail_server_that_hangs_for_one_receiver_delays_no_other(watched: Db) -> None:
    names = [f"person_{number}" for number in range(3)]
    engage(watched, names)
    with hook() as one, raw_server(lambda connection: (connection.recv(1), None)[1]) as port:
        settings = {
            "slack_webhook": one.url, "email_smtp": f"smtp://127.0.0.1:{port}", "timeout": 1.0,
            "email_to": [f"receiver{number}@agency.example" for number in range(10)],
        }  # fmt: skip
        began = time.monotonic()
        result = send_alerts(context(watched, **settings))
        assert (result.sent, result.failed) == (3, 30)
        assert time.monotonic() - began < 8


def test_many_receivers_that_hang_delay_none_that_answers(watched: Db) -> None:
    engage(watched, ["person_1"])
    over = threading.Event()
    with raw_server(lambda connection: (over.wait(120), None)[1]) as silent, hook() as one:
        hanging = [f"webhook=http://127.0.0.1:{silent}/{number}" for number in range(80)]
        good = [f"webhook={one.url}/{number}" for number in range(6)]
        told = context(watched, to=[*hanging[:40], *good, *hanging[40:]], webhook_secret="key", timeout=60.0)
        began = time.monotonic()
        sending = threading.Thread(target=send_alerts, args=(told,))
        sending.start()
        try:
            while len(one.requests) < len(good):
                assert time.monotonic() - began < told.settings.timeout  # no hanging one was given up by then
                time.sleep(0.05)
        finally:
            told.stop.set()
            over.set()
            sending.join()


def test_what_is_written_for_a_message_does_not_grow_with_how_many_go_out_at_once(watched: Db) -> None:
    engage(watched, ["person_1"])

    def updates() -> int:
        return int(watched.client.admin.command("serverStatus")["opcounters"]["update"])

    with hook() as one:
        before = updates()
        receivers = [f"webhook={one.url}/{number}" for number in range(60)]
        result = send_alerts(context(watched, to=receivers, webhook_secret="key", timeout=30.0))
        assert result.sent == len(one.requests) == 60
    assert updates() - before < 60 * 15
