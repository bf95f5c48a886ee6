"""`socap alerts …` as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.servers import Hook, hook, mail_server, reply
from support.terminal import Cli
from support.waiting import wait_until
from support.watched import VIP, engage, watch

from socap_cli.store import Db, rate_limits

ALERT = "launch:1996518988151706001:reply:ann"


@pytest.fixture
def one(db: Db, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A campaign, and a Slack that takes what it is sent."""
    watch(db)
    with hook() as made:
        monkeypatch.setenv("SOCAP_ALERT_SLACK_WEBHOOK", made.url)
        monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_SECRET", "key")
        monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", "127.0.0.1")
        monkeypatch.setenv("SOCAP_ALERTS__TIMEOUT", "2")
        yield made


def test_a_dry_run_says_what_would_go_out_and_sends_nothing(cli: Cli, db: Db, one: Hook) -> None:
    engage(db, ["ann", VIP])
    result = cli("alerts", "send", "--dry-run")["result"]
    assert (result["planned"], result["sent"], len(result["messages"])) == (2, 0, 2)
    assert {message["receiver"] for message in result["messages"]} == {"webhook at 127.0.0.1"}
    assert "would plan 2 alerts, send 2 messages, hold 0" in cli.text("alerts", "send", "--dry-run")[0]
    assert one.requests == []
    assert cli("alerts", "send")["result"]["sent"] == 2


def test_alerts_are_listed_by_what_one_asks_for(cli: Cli, db: Db, one: Hook) -> None:
    engage(db, ["ann", VIP])
    cli(
        "alerts", "silence", "--person", "@ANN", "--minutes", "30", "--comment", "calm down", "--author", "me"
    )
    cli("alerts", "send")
    (held,) = cli("alerts", "list", "--status", "held")["result"]["alerts"]
    assert (held["username"], held["importance_score"], held["action_type"]) == ("ann", 50.0, "reply")
    assert held["reason"] == "silenced (@ANN) by me: calm down"
    assert datetime.fromisoformat(held["due"]) > datetime.now(UTC)
    (sent,) = cli("alerts", "list", "--status", "sent", "--person", VIP)["result"]["alerts"]
    assert (sent["is_vip"], sent["deliveries"][0]["channel"]) == (True, "slack")
    assert sent["sent_at"] is not None
    found = cli("alerts", "list", "--limit", "1")["result"]
    assert (len(found["alerts"]), found["total"]) == (1, 2)
    assert one.url not in json.dumps(cli("alerts", "list"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["list", "--campaign", "nope"], 1), (["send", "--campaign", "nope"], 1), (["retry", "--campaign", "nope"], 1),
        (["show", "nope"], 1), (["retry", "nope"], 1), (["list", "--status", "odd"], 2), (["silence", "nope"], 1),
        (["list", "--person", "not a handle"], 2), (["test", "pigeon"], 2),
        (["silence", "launch", "--minutes", "1e17"], 2),
        (["silence", "launch", "--minutes", "nan"], 2), (["test", "email"], 2),
        (["silence", "launch", "--category", "nonsense"], 2), (["test", "--campaign", "nope"], 1),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_told(cli: Cli, one: Hook, words: list[str], code: int) -> None:
    assert cli("alerts", *words, code=code)["error"]["message"]


def test_a_silence_is_listed_and_ended_at_once(cli: Cli, db: Db, one: Hook) -> None:
    cli("alerts", "silence", "launch", "--minutes", "90", "--comment", "the party")
    (silence,) = cli("alerts", "silence")["result"]["silences"]
    assert (silence["campaign_id"], silence["comment"]) == ("launch", "the party")
    engage(db, ["ann"])
    assert cli("alerts", "send")["result"]["held"] == 1
    assert cli("alerts", "silence", "launch", "--minutes", "0")["result"]["ended"] == 1
    assert cli("alerts", "send")["result"]["sent"] == 1
    assert cli("alerts", "silence")["result"]["silences"] == []


def test_show_tells_every_attempt_and_retry_takes_one_alert(cli: Cli, db: Db, one: Hook) -> None:
    engage(db, ["ann", "bob"])
    one.answer = reply(400, b"invalid_blocks")
    assert cli("alerts", "send", code=4)["result"]["dead"] == 2
    shown = cli("alerts", "show", ALERT)["result"]["alert"]
    (message,) = shown["messages"]
    assert (message["status"], message["attempts"]) == ("dead", 1)
    assert "invalid_blocks" in message["log"][0]["said"]
    assert "invalid_blocks" in cli.text("alerts", "show", ALERT)[0]
    one.answer = reply(200, b"ok")
    assert cli("alerts", "retry", ALERT, "--dry-run")["result"]["deliveries"] == 1
    assert cli("alerts", "retry", ALERT)["result"]["deliveries"] == 1
    assert cli("alerts", "send")["result"]["sent"] == 1
    assert cli("alerts", "retry")["result"]["deliveries"] == 1


def test_test_sends_a_line_or_a_sample(cli: Cli, db: Db, one: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("alerts", "test", "slack")["result"]["sent"] == ["slack (webhook at 127.0.0.1)"]
    assert b"this channel works" in one.requests[-1][1]
    assert "Sample Person" in cli.text("alerts", "test", "--campaign", "launch", "--dry-run")[0]
    assert len(one.requests) == 1
    engage(db, ["ann"])
    with mail_server() as post:
        monkeypatch.setenv("SOCAP_ALERT_EMAIL_SMTP", f"smtp://127.0.0.1:{post.port}")
        monkeypatch.setenv("SOCAP_ALERTS__EMAIL_TO", "team@agency.example")
        out, _ = cli.text("alerts", "test", "--campaign", "launch")
        assert "Sample: Launch: ann (@ann) replied to @client's tweet" in out
        assert "Sample: Launch: ann" in str(post.messages[0]["Subject"])
    assert "Sample: Launch: ann" in json.loads(one.requests[-1][1])["text"]
    assert db.alert_queue.count_documents({}) == 0
    one.answer = reply(404, b"no_service")
    out, err = cli.text("alerts", "test", "slack", code=1)
    assert "no_service" in err
    assert "secretsecret" not in out + err


def test_a_silence_of_an_account_is_ended_by_its_handle_in_any_case(cli: Cli, one: Hook) -> None:
    cli("alerts", "silence", "--person", "@ANN", "--minutes", "90")
    cli("alerts", "silence", "--person", "@Ann", "--minutes", "30")
    assert len(cli("alerts", "silence")["result"]["silences"]) == 1
    assert cli("alerts", "silence", "--person", "ann", "--minutes", "0")["result"]["ended"] == 1


def test_a_sample_is_shown_as_the_operators_templates_tell_it(
    cli: Cli, one: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subject.txt").write_text("Look: {{ message.campaign_name }}")
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch" / "plain.txt").write_text("{{ message.people[0].name }} of ours")
    monkeypatch.setenv("SOCAP_ALERTS__TEMPLATES", str(tmp_path))
    out, _ = cli.text("alerts", "test", "--campaign", "launch", "--dry-run")
    assert out.startswith("Look: Launch\n\nSample Person of ours")
    (tmp_path / "plain.txt").write_text("{{ nothing }}")
    (tmp_path / "launch" / "plain.txt").unlink()
    error = cli("alerts", "test", "--campaign", "launch", "--dry-run", code=1)["error"]
    assert error["message"] == "template plain.txt: 'nothing' is undefined"


def test_retry_switches_a_channel_on_of_which_nothing_is_left_to_be_told(cli: Cli, db: Db, one: Hook) -> None:
    engage(db, ["ann"])
    one.answer = reply(404, b"no_service")
    cli("alerts", "send", code=4)
    for name in ("alert_messages", "alert_history", "alert_queue"):
        db[name].delete_many({})
    assert rate_limits.switched_off(db)
    assert cli("alerts", "retry")["result"]["deliveries"] == 0
    assert rate_limits.switched_off(db) == {}


def test_a_send_that_sends_nothing_fails_while_messages_wait_for_a_disabled_address(
    cli: Cli, db: Db, one: Hook
) -> None:
    engage(db, ["ann"])
    one.answer = reply(404, b"no_service")
    cli("alerts", "send", code=4)
    one.answer = reply(200, b"ok")
    for _ in range(2):
        result = cli("alerts", "send", code=4)["result"]
        assert (result["sent"], result["dead"], result["disabled"]) == (0, 0, 1)
    cli("alerts", "retry")
    assert cli("alerts", "send")["result"]["sent"] == 1


def test_what_waits_for_one_receiver_shows_when_and_what_went_wrong_with_another(
    cli: Cli, db: Db, one: Hook
) -> None:
    engage(db, ["ann"])
    one.answer = reply(400, b"invalid_blocks")
    later = f"webhook={one.url},digest=hourly"
    cli("campaign", "edit", "launch", "--channel", "slack", "--channel", later, code=0)
    cli("alerts", "send", code=4)
    (held,) = cli("alerts", "list", "--status", "held")["result"]["alerts"]
    assert "'s digest (hourly); Slack refused the message: HTTP 400 invalid_blocks" in held["reason"]


def test_a_campaigns_receivers_quiet_hours_and_digest_are_set_shown_and_cleared(cli: Cli, one: Hook) -> None:
    secret = f"webhook={one.url}"
    cli(
        "campaign", "edit", "launch", "--channel", "slack", "--channel", "email=boss@fund.example,min=50",
        "--channel", secret, "--quiet-hours", "22:00-7:00 Europe/Berlin", "--digest", "daily 8:30 Europe/Berlin",
    )  # fmt: skip
    shown = cli("campaign", "show", "launch")
    assert "secretsecret" not in json.dumps(shown)
    campaign = shown["result"]["campaign"]
    assert campaign["channels"] == ["slack", "email=boss@fund.example,min=50", "webhook=(set)"]
    assert (campaign["quiet_hours"], campaign["digest"]) == (
        "22:00-07:00 Europe/Berlin", "daily 08:30 Europe/Berlin",
    )  # fmt: skip
    assert "secretsecret" not in cli.text("campaign", "export", "launch")[0]
    cli("campaign", "edit", "launch", "--clear", "quiet-hours", "--clear", "digest", "--clear", "channels")
    cleared = cli("campaign", "show", "launch")["result"]["campaign"]
    assert (cleared["quiet_hours"], cleared["digest"], cleared["channels"]) == (None, None, [])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--channel", "pigeon"), ("--channel", "email=nobody"), ("--channel", "slack=https://evil.example/x"),
        ("--channel", "slack,min=much"), ("--channel", "slack,min=nan"), ("--channel", "slack,min=-1"),
        ("--channel", "=x"), ("--quiet-hours", "at night"), ("--quiet-hours", "22:00-22:00"),
        ("--quiet-hours", "22:00-25:00"), ("--quiet-hours", "22:00-07:00 Mars/Olympus"), ("--digest", "weekly"),
        ("--digest", "daily 25:00"), ("--quiet-hours", "22:00-07:00 ../../etc/passwd"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_one_is_refused(cli: Cli, one: Hook, option: str, value: str) -> None:
    error = cli("campaign", "edit", "launch", option, value, code=2)["error"]
    assert "secret" not in json.dumps(error)


def test_a_signal_ends_a_sending_between_two_messages(
    db: Db, mongod: str, one: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engage(db, [f"person_{number}" for number in range(30)])
    monkeypatch.setenv("SOCAP_ALERTS__DIGEST_AFTER", "1000")
    monkeypatch.setenv("MONGODB_URI", mongod)
    monkeypatch.setenv("SOCAP_DATABASE__NAME", db.name)
    sender = subprocess.Popen(
        [sys.executable, "-m", "socap_cli", "alerts", "send", "--json"], stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: len(one.requests) >= 2)
    sender.send_signal(signal.SIGTERM)
    out, _ = sender.communicate(timeout=20)
    answer = json.loads(out.splitlines()[-1])
    assert (sender.returncode, answer["exit_code"]) == (4, 4)
    assert answer["result"]["sent"] == len(one.requests) < 30
    assert db.alert_messages.distinct("status") == ["pending", "sent"]


def test_a_narrow_list_has_everything_below_each_row(
    cli: Cli, db: Db, one: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    engage(db, ["ann"])
    one.answer = reply(400, b"invalid_blocks")
    cli("alerts", "send", code=4)
    out, _ = cli.text("alerts", "list")
    header, first, below = out.splitlines()
    assert header.split() == ["status", "who", "action", "score", "due", "or", "sent", "reason"]
    assert first.split()[:4] == ["dead", "@ann", "reply", "50"]
    assert below == f"  {ALERT} · slack"
    assert max(map(len, out.splitlines())) <= 60
