"""What the stages of one run share: the database, the channels, the settings, a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from socap_cli.alerts.rules import Targets, targets_of
from socap_cli.channels import Channel
from socap_cli.errors import DatabaseUnreachable
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import parse_receiver
from socap_cli.settings import AlertSettings
from socap_cli.store import Db, retry_until_available, translate_error
from socap_cli.store.importance import ImportanceCollections

Result = TypeVar("Result")


@dataclass(frozen=True)
class AlertContext:
    db: Db
    channels: Mapping[str, Channel]
    settings: AlertSettings
    now: Callable[[], datetime]
    """The database's clock."""
    names: ImportanceCollections = field(default_factory=ImportanceCollections)
    sleep: Callable[[float], object] = time.sleep
    stop: threading.Event = field(default_factory=threading.Event)
    patience: float = 60.0
    """Seconds to wait for the database when an outcome is to be written."""
    restart: Callable[[], None] = lambda: None
    """Brings back an embedded database."""
    lease: float = 60.0
    """Seconds for which a message is claimed; a channel that does not return by then is abandoned."""
    report_url: str = ""
    """Where the report pages are published."""
    has_client_folders: bool = False
    """Whether each client's pages are in a folder of their own."""
    lock_patience: float = 10.0
    """Seconds to wait while another run plans."""

    def until_available(self, call: Callable[[], Result]) -> Result:
        """Retry an idempotent call until the database answers."""
        return retry_until_available(call, patience=self.patience, stop=self.stop, restart=self.restart)

    def targets_of(self, campaign: Campaign) -> Targets:
        """A campaign's recipients under this configuration."""
        usual = [parse_receiver(text.get_secret_value()) for text in self.settings.to]
        return targets_of(campaign, self.channels, usual)


def index_warning(error: Exception) -> str:
    """The warning for an importance index that cannot be read. Raises the error when the whole database is down."""
    fault = translate_error(error)
    if isinstance(fault, DatabaseUnreachable):
        raise error
    text = fault.message if fault is not None else f"{type(error).__name__}: {error}"
    return f"importance could not be looked up: {text}"
