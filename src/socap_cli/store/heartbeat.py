"""Keep something leased alive from a thread, while a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from socap_cli.store.connect import translate_error


@contextmanager
def heartbeat(renew: Callable[[], object], *, every: float) -> Iterator[None]:
    """Call `renew` every so many seconds until the block ends.

    A database that is away leaves it to the next beat, and then to whoever takes the lease over.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(every):
            try:
                renew()
            except Exception as error:
                if translate_error(error) is None:
                    raise

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)
