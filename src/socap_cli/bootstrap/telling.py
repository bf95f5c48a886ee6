"""What tells people, from the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from socap_cli.alerts.context import AlertContext
from socap_cli.bootstrap.built import Bootstrap
from socap_cli.channels import Channel
from socap_cli.channels.table import open_channels
from socap_cli.store import Db
from socap_cli.store.clock import clock


def channels_of(built: Bootstrap) -> dict[str, Channel]:
    """The ways to tell people, by name. Raises ConfigError."""
    return open_channels(built.settings.alerts)


def alert_context(
    built: Bootstrap,
    db: Db,
    *,
    now: Callable[[], datetime] | None = None,
    stop: threading.Event | None = None,
) -> AlertContext:
    """What the stages of telling people share; by the database's clock unless another is given."""
    waiting = stop or threading.Event()
    return AlertContext(
        db,
        channels_of(built),
        built.settings.alerts,
        now or clock(db),
        names=built.importance(),
        stop=waiting,
        sleep=waiting.wait,
        patience=built.settings.database.patience,
        restart=built.restart,
        lease=max(60.0, 4 * built.settings.alerts.timeout),
        report_url=built.settings.report.url or "",
    )
