"""A worker process whose jobs do nothing: the real pool, claiming and settling for real."""

from __future__ import annotations

import random
import sys
import threading
import time
from datetime import UTC, datetime

from socap_cli.model import Unit
from socap_cli.providers import TwitterApiIo
from socap_cli.store import open_database
from socap_cli.store.leases import Settled
from socap_cli.work.calls import Calls
from socap_cli.work.desk import Desk
from socap_cli.work.pool import Pool
from socap_cli.work.unit import Done


def nothing(_desk: Desk, unit: Unit, _rng: random.Random) -> Done:
    return Done(unit, [Settled(job) for job in unit.jobs])


def main(uri: str, name: str, seats: int) -> None:
    """Say `ready`, wait for a line, work the queue until it is dry, say when it ended and how many jobs it did."""
    with open_database(uri, name) as db:
        provider = TwitterApiIo("k")
        calls = Calls(db, provider, "k", 0.0, lambda: datetime.now(UTC), threading.Event())
        pool = Pool(Desk(db, calls, calls.now), seats=seats, do=nothing, linger=0.0)
        print("ready", flush=True)
        sys.stdin.readline()
        done = pool.run()
        print(time.time(), done.completed, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
