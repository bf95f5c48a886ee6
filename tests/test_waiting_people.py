"""Who waits at a terminal is told what for, and is free to leave."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.terminal import Cli
from support.waiting import heed_ctrl_c

from socap_cli.store import Db

ADD = ["campaign", "add", "x", "--days", "1", "--tweet", "https://x.com/ada/status/1996518988151706110"]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Iterator[None]:
    """A provider that takes every connection and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        monkeypatch.setenv("TWITTER_API_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("TWITTER_API_KEY", "any")
        yield


def test_a_person_who_adds_tweets_does_not_wait_long_for_a_provider_that_is_down(
    cli: Cli, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWITTER_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TWITTER_API_KEY", "any")
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    _, err = cli.text(*ADD, code=7)
    assert sum(wait for wait in waits if wait >= 1) <= 8
    assert err.splitlines()[0] == "looking up 1 tweet at the provider"
    assert "trying again in 1 s" in err
    assert "Connection refused – add them unchecked" in err.splitlines()[-1]
    assert (db.campaigns.count_documents({}), db.tweets.count_documents({})) == (0, 0)


def test_a_build_says_what_it_waits_for(cli: Cli, db: Db, monkeypatch: pytest.MonkeyPatch) -> None:
    db.important_people.insert_one({"username": "ada", "weight": 5.0})
    monkeypatch.setenv("TWITTER_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TWITTER_API_KEY", "any")
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    assert "trying again in 8 s" in cli.text("importance", "build", code=7)[1]


@pytest.mark.usefixtures("silent")
@pytest.mark.slow
def test_ctrl_c_ends_a_wait_at_once_and_says_so(db: Db) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "socap_cli", *ADD, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    while not db.rate_limits.count_documents({}) and waiting.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    waiting.send_signal(signal.SIGINT)
    out, _ = waiting.communicate(timeout=5)
    assert waiting.returncode == 130
    assert '"message":"interrupted"' in out
    assert (db.campaigns.count_documents({}), db.tweets.count_documents({})) == (0, 0)
