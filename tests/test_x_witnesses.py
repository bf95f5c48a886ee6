"""Clients that others wrote read X's API from the simulator: TEST_WITNESSES is an interpreter that has them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from support.lab import START

from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS
from socap_cli.simulator.server import Simulator

PYTHON = os.environ.get("TEST_WITNESSES", "")
SCRIPT = Path(__file__).parent / "support" / "witness.py"


@pytest.mark.exhaustive
@pytest.mark.server
@pytest.mark.skipif(not PYTHON, reason="TEST_WITNESSES is not set; `make test-all` sets it")
@pytest.mark.parametrize("client", ["tweepy", "twarc", "xdk"])
def test_another_client_reads_the_truth(simulate: Callable[..., Simulator], client: str) -> None:
    simulator = simulate(wire_format="x", start=START, tweets=1, accounts=800, engagements=0.0)
    (tweet_id,) = simulator.world.tweets
    for number in range(130):
        for kind in (RETWEETS, REPLIES, QUOTES):
            simulator.world.engage(tweet_id, kind, START.replace(minute=number % 50))
    simulator.clock.advance(timedelta(hours=1))
    done = subprocess.run(
        [PYTHON, str(SCRIPT), client, simulator.url, tweet_id], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    read = {kind: set(ids) for kind, ids in json.loads(done.stdout).items()}
    assert read == simulator.world.truth(simulator.clock.now())[tweet_id]
