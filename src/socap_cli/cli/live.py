"""What a worker shows while it works: a live view on a terminal, now and then a plain line in a log."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from socap_cli.cli.output import STDERR
from socap_cli.cli.run import Run, one_line
from socap_cli.cli.tables import console
from socap_cli.cli.wording import counted
from socap_cli.errors import UsageError
from socap_cli.json_text import json_text
from socap_cli.work.result import Progress

LOOK_EVERY = 0.2
LINE_EVERY = 30.0
"""Seconds between two lines in a log: a run of a few seconds writes none."""

Watch = Callable[["Progress"], None]


@contextmanager
def watching(run: Run, form: str) -> Iterator[Watch | None]:
    """Yield what shows a run's progress; None when nobody wants to see it. `form` is auto or json."""
    if form not in ("auto", "json"):
        raise UsageError(f"no progress {form!r}", hint="there are auto and json")
    if form == "json":
        yield every(1.0, _tell_program, at_once=False)
    elif run.quiet or run.json:
        yield None
    elif sys.stderr.isatty():
        yield from _live()
    else:
        yield every(LINE_EVERY, lambda progress: run.info("; ".join(lines(progress))), at_once=False)


def _tell_program(progress: Progress) -> None:
    """An object on stderr. When nobody reads it any more, whoever started this run is gone: stop."""
    try:
        # Not through sys.stderr, where a reader that went away is no news.
        os.write(STDERR, json_text(progress).encode() + b"\n")
    except BrokenPipeError:
        signal.raise_signal(signal.SIGTERM)


def _live() -> Iterator[Watch]:

    spinner = Spinner("dots", "working")
    with Live(spinner, console=console(stderr=True), refresh_per_second=8, transient=True) as live:

        def show(progress: Progress) -> None:
            first, *more = lines(progress)
            spinner.update(text=Text(first))
            live.update(Group(spinner, *(Text(f"  {line}", style="dim") for line in more)))

        yield every(LOOK_EVERY, show)


def every(seconds: float, show: Watch, *, at_once: bool = True) -> Watch:
    """Show at most every so often."""
    next_at = time.monotonic() + (0.0 if at_once else seconds)

    def maybe(progress: Progress) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + seconds
            show(progress)

    return maybe


def lines(progress: Progress) -> list[str]:
    """A run's progress in words: the queue, the jobs ended of each kind, what was collected, the last trouble."""
    done = progress.done
    ended = done.completed + done.unchanged + done.failed + done.over_budget
    pace = f", {ended / done.seconds:,.0f} jobs/s" if done.seconds >= 1 else ""
    kinds = [f"{kind} {count:,}" for kind, count in progress.by_kind.items() if count]
    kinds += [f"unchanged {done.unchanged:,}"] if done.unchanged else []
    told = [
        f"{counted(ended, 'job')} ended, {progress.left:,} open, {progress.running} claimed{pace}",
        f"{counted(done.engagements_new, 'new engagement')}, {counted(done.requests, 'request')}, "
        f"{done.cost:,.0f} credits",
    ]
    told += [" · ".join(kinds)] if kinds else []
    told += [f"last trouble: {one_line(done.last_error)}"] if done.last_error else []
    return told
