"""A run that does not want to be the second one of its kind on this host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from socap_cli.cli.options import one_of
from socap_cli.errors import LockHeld, SocapError
from socap_cli.files.file_lock import EXCLUSIVE, SHARED, locked

CHOICES = ("join", "skip", "fail")
LOCK = "work.lock"
"""In the data folder. Whoever joins holds it too, shared, so that nobody is overlooked."""

IfRunning = Annotated[
    str,
    typer.Option(
        metavar="join|skip|fail",
        help="When another one works on this host: join it, skip this run (exit 0), or fail (exit 5).",
    ),
]


@contextmanager
def alone(data_dir: Path, choice: str) -> Iterator[bool]:
    """Hold the host's lock for the block; yield False when this run is to be skipped.

    Raises UsageError for an unknown choice, LockHeld when the choice is to fail, and SocapError when the data folder
    cannot hold a lock that is asked for.
    """
    kind = SHARED if one_of(choice, CHOICES, "--if-running") == "join" else EXCLUSIVE
    with ExitStack() as stack:
        holder = None
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            holder = stack.enter_context(locked(data_dir / LOCK, kind, patience=0.0))
        except OSError as error:
            if choice != "join":
                raise SocapError(
                    f"cannot lock {data_dir / LOCK}: {error.strerror}", hint="name a --data-dir that is yours"
                ) from error
        if holder and choice == "fail":
            raise LockHeld(
                f"another socap work of this host is at work ({holder})", hint="the next run goes on"
            )
        yield choice == "join" or holder is None
