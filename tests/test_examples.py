"""Every command's help shows an example, and each of them runs in the world that it speaks of."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command_lines import complaint, parser
from support.firm import index_in_its_own_way, insert_odd, snapshot
from support.waiting import heed_ctrl_c

from socap_cli.cli.app import execute
from socap_cli.simulator.server import Mailbox, Simulator
from socap_cli.store import Db

MARK = "Example: "
TWEET = "9651898815170611"


def leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, f"{path} {name}".strip())
    if not hasattr(command, "commands"):
        yield path, command


HELP = {name: command.help or "" for name, command in leaves(parser())}
EXAMPLES = {
    name: [line.strip().removeprefix(MARK) for line in text.splitlines() if line.strip().startswith(MARK)]
    for name, text in HELP.items()
}
AWAY = ("db start", "db status", "db stop", "demo", "simulate", "init")
"""Run by tests of their own: they start servers, or write where they are."""
LATE = ("campaign remove-tweet", "campaign complete", "campaign delete", "db check", "db restore")
FIRST = (
    "campaign add",
    "campaign edit-tweet",
    "enqueue",
    "work",
    "alerts send",
    "campaign export",
    "db backup",
)
"""What others lean on."""


def test_every_command_has_one_example_of_itself_that_its_parser_takes() -> None:
    assert {name: len(found) for name, found in EXAMPLES.items() if len(found) != 1} == {}
    for name, (line,) in EXAMPLES.items():
        words = shlex.split(line)
        assert " ".join(words[1:]).startswith(name), line
        assert complaint(words[1:]) == "", line


@pytest.mark.parametrize("name", HELP)
def test_help_is_plain_and_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert execute([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert [word for word in ("None", "_at ") if word in out] == []
    assert EXAMPLES[name][0] in out  # on one line, so that it can be copied


@pytest.fixture
def world(
    db: Db,
    mongod: str,
    simulator: Simulator,
    mailbox: Mailbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Files, a provider, a mail server, a webhook, two campaigns and an alert, as the examples name them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MONGODB_URI", mongod)
    monkeypatch.setenv("SOCAP_DATABASE__NAME", db.name)
    monkeypatch.setenv("SOCAP_ALERT_SLACK_WEBHOOK", f"{simulator.url}/sim/slack")
    monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", simulator.url.removeprefix("http://"))
    monkeypatch.setenv("SOCAP_ALERT_EMAIL_SMTP", mailbox.url)
    monkeypatch.setenv("SOCAP_ALERTS__EMAIL_FROM", "alerts@agency.example")
    first, *more = simulator.tweets_csv().splitlines(keepends=True)
    Path("tweets.csv").write_text(first + "".join(more[:4]))
    Path("more.csv").write_text(first + "".join(more[4:]))
    Path("people.csv").write_text("username,weight\nada,5\n")
    insert_odd(db)
    db.important_people.insert_one({"username": "ada", "user_id": "7", "weight": 5})
    index_in_its_own_way(db)


def insert_alert(db: Db) -> None:
    """The alert and the tweet that the examples name."""
    key = f"{TWEET}:retweet:44196397"
    row = db.engagements.find_one({}) or {}
    db.engagements.insert_one(
        {
            **row,
            "_id": key,
            "tweet_id": TWEET,
            "action_type": "retweet",
            "source_id": "44196397",
            "username": "ada",
        }
    )
    alert = db.alert_queue.find_one({}) or {}
    db.alert_queue.insert_one({**alert, "_id": f"launch:{key}", "engagement_id": key, "tweet_id": TWEET})


def run(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = execute(shlex.split(line)[1:])
    out, err = capsys.readouterr()
    assert code == 0, (line, code, out, err)
    assert "bug" not in err


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_the_examples_run_and_none_touches_the_firms_collections(
    db: Db, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(db)
    own = f"https://x.com/i/status/{TWEET}"
    names = [name for name in EXAMPLES if name not in (*AWAY, *FIRST, *LATE)]
    for name in FIRST[:1]:
        run(EXAMPLES[name][0], capsys)
    run(f"socap campaign add-tweets launch --no-verify --tweet {own}", capsys)
    run(f"socap campaign add spring --no-verify --days 7 --tweet {own}", capsys)
    run("socap campaign edit launch --threshold 0 --add-vip @ada", capsys)
    for name in FIRST[1:]:
        run(EXAMPLES[name][0], capsys)
        assert snapshot(db) == before, name
        if name == "alerts send":  # the example is a dry run
            run("socap alerts send --campaign launch", capsys)
            insert_alert(db)
    for name in (*names, *LATE):
        run(EXAMPLES[name][0], capsys)
        assert snapshot(db) == before, name
    assert list(Path("pages").rglob("launch.html"))


@pytest.mark.slow
@pytest.mark.server
def test_the_examples_of_the_embedded_database_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCAP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    try:
        for name in ("init", "db start", "db status"):
            run(EXAMPLES[name][0], capsys)
    finally:
        run(EXAMPLES["db stop"][0], capsys)
    assert (tmp_path / "socap.toml").exists()


@pytest.mark.slow
@pytest.mark.server
def test_the_example_of_the_demo_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(EXAMPLES["demo"][0], capsys)
    assert (tmp_path / "socap-demo" / "index.html").exists()


@pytest.mark.slow
def test_the_example_of_the_simulator_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    words = [*shlex.split(EXAMPLES["simulate"][0])[1:], "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "socap_cli", *words],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=heed_ctrl_c,
    )
    assert process.stdout
    assert process.stdout.readline().startswith("30 tweets at http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0
