"""What the stages of one run share: the database, the channels, the settings, a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from socap_cli.channels import Channel
from socap_cli.errors import DatabaseUnreachable
from socap_cli.model.message import Receiver, parse_receiver
from socap_cli.settings import Alerts
from socap_cli.store import Db, retry_until_available, translate_error
from socap_cli.store.importance import ImportanceCollections

Result = TypeVar("Result")


@dataclass(frozen=True)
class AlertContext:
    """Everything that telling people needs."""

    db: Db
    channels: Mapping[str, Channel]
    settings: Alerts
    now: Callable[[], datetime]
    """The database's clock."""
    names: ImportanceCollections = field(default_factory=ImportanceCollections)
    sleep: Callable[[float], object] = time.sleep
    stop: threading.Event = field(default_factory=threading.Event)
    patience: float = 60.0
    """Seconds for which an outcome waits for a database that went away."""
    restart: Callable[[], None] = lambda: None
    """Brings back a database that is ours to start."""
    lease: float = 60.0
    """Seconds for which a message is claimed, and after which a channel that does not come back is left alone."""
    report_url: str = ""
    """Where the folder of report pages is published."""
    lock_patience: float = 10.0
    """Seconds for which a run waits while another one plans."""

    def until_available(self, call: Callable[[], Result]) -> Result:
        """Do what can be repeated until the database answers, with patience."""
        return retry_until_available(call, patience=self.patience, stop=self.stop, restart=self.restart)

    @property
    def usual_receivers(self) -> list[Receiver]:
        """More receivers of campaigns that name none."""
        return [parse_receiver(text.get_secret_value()) for text in self.settings.to]


def told_unreadable(error: Exception) -> str:
    """What to say of importance that could not be looked up. Raises the error when the whole database is away."""
    fault = translate_error(error)
    if isinstance(fault, DatabaseUnreachable):
        raise error
    said = fault.message if fault is not None else f"{type(error).__name__}: {error}"
    return f"importance could not be looked up: {said}"
