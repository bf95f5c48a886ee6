"""What asks the provider, from the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from socap_cli.bootstrap.built import Bootstrap
from socap_cli.client.budget import Budget
from socap_cli.client.limiter import Limiter
from socap_cli.client.meter import Meter
from socap_cli.client.metered import MeteredClient
from socap_cli.providers import Provider
from socap_cli.providers.table import build_provider
from socap_cli.store import Db
from socap_cli.work.context import WorkContext
from socap_cli.work.writer import EngagementWriter


@contextmanager
def open_provider(built: Bootstrap, *, needs_key: bool = True) -> Iterator[Provider]:
    """The data provider, closed afterwards; without its key it can only declare things. Raises ConfigError."""
    if needs_key:
        built.key()
    provider = build_provider(built.settings.provider)
    try:
        yield provider
    finally:
        provider.close()


def open_client(
    built: Bootstrap,
    db: Db,
    provider: Provider,
    *,
    now: Callable[[], datetime],
    stop: threading.Event | None = None,
    max_in_flight: int = 50,
) -> MeteredClient:
    """The metered way to the provider; `stop` ends its waits."""
    rate = built.settings.provider.rate
    return MeteredClient(
        provider,
        Limiter(db, built.key(), rate, stop or threading.Event(), provider.allowed_rate),
        Meter(db),
        Budget(db, built.settings.budget),
        now,
        max_in_flight=max_in_flight,
    )


def work_context(built: Bootstrap, db: Db, client: MeteredClient) -> WorkContext:
    """What the units of one run share."""
    return WorkContext(
        db,
        client,
        EngagementWriter(db, built.importance(), built.rules(), list_lease=built.settings.worker.lease),
        client.now,
        policy=built.settings.collection,
        patience=built.settings.database.patience,
        provider_patience=built.settings.provider.patience,
        restart=built.restart,
    )
