"""What a signal does to a command that takes its time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from socap_cli.cli.run import INTERRUPTED, Run
from socap_cli.errors import SocapError

STOPPED_WITHIN = 3.6
"""Seconds after a signal."""


@contextmanager
def stopping(run: Run, stop: threading.Event, overdue_error: SocapError) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks for a stop, a second SIGINT ends at once.

    What has not stopped in time is left to its leases, and told by `overdue_error`.
    """

    def give_up() -> None:
        os._exit(run.finish(overdue_error))

    overdue = threading.Timer(STOPPED_WITHIN, give_up)
    overdue.daemon = True

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            if number == signal.SIGINT:
                os._exit(INTERRUPTED)
            return
        stop.set()
        overdue.start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        overdue.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
