"""Tasks that are due every so many seconds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from socap_cli.store import Db

Task = Callable[[Db], object]


class Periodic:
    """Tells which tasks are due. Intervals vary by a fifth, so that workers do not meet."""

    def __init__(self, rng: random.Random, tasks: Sequence[tuple[float, Task]]) -> None:
        self._rng, self._tasks = rng, tasks
        self._next = [0.0] * len(tasks)

    def due(self, now: float) -> Iterator[Task]:
        """The tasks whose time has come, by a clock in seconds."""
        for number, (every, task) in enumerate(self._tasks):
            if now >= self._next[number]:
                self._next[number] = now + every * self._rng.uniform(0.8, 1.2)
                yield task
