"""What every benchmark needs: an empty database, a provider in a process of its own, a line of the table."""

from __future__ import annotations

import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db, open_database
from socap_cli.store.connect import ensure_indexes

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@contextmanager
def database(uri: str) -> Iterator[Db]:
    with open_database(uri, f"b{uuid.uuid4().hex[:10]}") as db:
        ensure_indexes(db)
        yield db
        db.client.drop_database(db.name)


def row(name: str, value: str, beside: str) -> None:
    print(f"  {name:<44}{value:>16}   {beside}", flush=True)


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def environment(uri: str, db: Db, url: str, **settings: str) -> dict[str, str]:
    """What a command needs to work one database against one provider."""
    return {
        **os.environ,
        "MONGODB_URI": uri,
        "SOCAP_DATABASE__NAME": db.name,
        "TWITTER_API_URL": url,
        "TWITTER_API_KEY": "k",
        "SOCAP_PROVIDER__RATE": "0",
        **settings,
    }


@dataclass(frozen=True)
class Provider:
    """A simulator in another process, so that client and provider do not share an interpreter."""

    url: str
    _wire: Connection

    def requests(self) -> int:
        """How many it was asked so far."""
        self._wire.send("requests")
        count: int = self._wire.recv()
        return count


@contextmanager
def provider(latency: float, **world: Any) -> Iterator[Provider]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(there, latency, world), daemon=True)
    process.start()
    try:
        yield Provider(here.recv(), here)
    finally:
        process.terminate()
        process.join()


def _serve(wire: Connection, latency: float, world: dict[str, Any]) -> None:
    with Simulator(World(start=START, **world)) as simulator:
        simulator.faults.latency = latency
        wire.send(simulator.url)
        while wire.recv() == "requests":
            wire.send(sum(simulator.ledger.requests.values()))
