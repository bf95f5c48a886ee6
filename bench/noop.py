"""A worker process whose jobs do nothing: the real pool, claiming and settling for real."""

from __future__ import annotations

import random
import sys
import threading
import time
from datetime import UTC, datetime

from socap_cli.client.limiter import Limiter
from socap_cli.client.metered import Budget, Meter, MeteredClient
from socap_cli.importance import default_rules
from socap_cli.model.queue import Outcome, Unit
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.store import open_database
from socap_cli.store.importance import ImportanceCollections
from socap_cli.work.context import UnitResult, WorkContext
from socap_cli.work.worker import Worker, WorkerOptions
from socap_cli.work.writer import EngagementWriter


def nothing(_context: WorkContext, unit: Unit, _rng: random.Random) -> UnitResult:
    return UnitResult(unit, [Outcome(job) for job in unit.jobs])


def main(uri: str, name: str, threads: int) -> None:
    """Say `ready`, wait for a line, work the queue until it is dry, say when it ended and how many jobs it did."""
    with open_database(uri, name) as db:
        provider = TwitterApiIo("k")
        client = MeteredClient(
            provider,
            Limiter(db, "k", 0.0, threading.Event()),
            Meter(db),
            Budget(db),
            lambda: datetime.now(UTC),
        )
        context = WorkContext(
            db, client, EngagementWriter(db, ImportanceCollections(), default_rules()), client.now
        )
        worker = Worker(context, WorkerOptions(threads=threads, idle_timeout=0.0), work=nothing)
        print("ready", flush=True)
        sys.stdin.readline()
        done = worker.run()
        print(time.time(), done.completed, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
