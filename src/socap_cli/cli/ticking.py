"""A word now and then to a person who waits."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from socap_cli.cli import output
from socap_cli.cli.run import Run

EVERY = 5.0
"""Seconds of silence until the next word."""
SHOW_THEIR_OWN = frozenset({"demo", "simulate", "status", "work"})
"""Commands that show what they do, or stay until they are ended."""


@contextmanager
def ticking(run: Run) -> Iterator[None]:
    """At a terminal, say how long it has taken whenever nothing was shown for a while."""
    name = run.command.partition(" ")[0]
    if run.json or run.quiet or name in SHOW_THEIR_OWN or not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    threading.Thread(target=_tick, args=(run, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _tick(run: Run, ended: threading.Event) -> None:
    begun = time.monotonic()
    pause = EVERY
    while not ended.wait(pause):
        now = time.monotonic()
        silent = now - max(begun, output.last_written())
        if silent >= EVERY:
            run.info(f"still at it after {now - begun:.0f} s")
        pause = max(0.1, EVERY - silent) if silent < EVERY else EVERY
