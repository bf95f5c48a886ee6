"""What the stages of one run share: the database, the channels, the settings, a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from socap_cli.channels import Channel
from socap_cli.config import Alerts
from socap_cli.model.receiver import Receiver, parse_receiver
from socap_cli.store import Db
from socap_cli.store.importance import FirmCollections


@dataclass(frozen=True)
class AlertContext:
    """Everything that telling people needs."""

    db: Db
    channels: Mapping[str, Channel]
    settings: Alerts
    now: Callable[[], datetime]
    """The database's clock."""
    names: FirmCollections = field(default_factory=FirmCollections)
    sleep: Callable[[float], object] = time.sleep
    stop: threading.Event = field(default_factory=threading.Event)
    patience: float = 60.0
    """Seconds for which an outcome waits for a database that went away."""
    lock_patience: float = 10.0
    """Seconds for which a run waits while another one plans."""

    @property
    def usual_receivers(self) -> list[Receiver]:
        """More receivers of campaigns that name none."""
        return [parse_receiver(text.get_secret_value()) for text in self.settings.to]

    @property
    def lease(self) -> float:
        """Seconds for which a message is claimed: longer than any channel may take."""
        return max(60.0, 4 * self.settings.timeout)
