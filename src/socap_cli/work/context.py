"""What every unit of work needs, built once a run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from socap_cli.client.metered import MeteredClient
from socap_cli.config import Collection
from socap_cli.store import Db, retry_until_available
from socap_cli.work.writer import EngagementWriter

Answer = TypeVar("Answer")


class _Ahead(ThreadPoolExecutor):
    """Threads whose log lines are about the job of whoever asks them."""

    def submit(self, call: Callable[..., Answer], /, *args: Any, **named: Any) -> Future[Answer]:
        return super().submit(copy_context().run, call, *args, **named)


@dataclass
class WorkContext:
    """The database, the provider, the rules and the clock of one run."""

    db: Db
    client: MeteredClient
    writer: EngagementWriter
    now: Callable[[], datetime]
    policy: Collection = field(default_factory=Collection)
    patience: float = 60.0
    """Seconds for which a database that went away is waited for."""
    provider_patience: float = 120.0
    """Seconds after which a run ends whose provider does not answer."""
    restart: Callable[[], None] = lambda: None
    """What may bring the database back."""
    ahead: Executor = field(default_factory=partial(_Ahead, 64, thread_name_prefix="ahead"))
    """Threads that ask for the next page while those of units store one."""

    def until_available(self, call: Callable[[], Answer]) -> Answer:
        """Do what can be repeated, waiting for the database while it is away and no stop is asked for."""
        return retry_until_available(
            call, patience=self.patience, stop=self.client.stop, restart=self.restart
        )
