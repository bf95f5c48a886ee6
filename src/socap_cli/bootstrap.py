"""Builds objects from the settings: database, provider, client, channels, report.

A function imports what it builds, so that a command imports no HTTP, mail or drawing that it does not use.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from socap_cli.errors import ConfigError, DatabaseUnreachable
from socap_cli.settings import secret

if TYPE_CHECKING:
    from socap_cli.alerts.context import AlertContext
    from socap_cli.channels import Channel
    from socap_cli.client.looks import LookPolicy
    from socap_cli.client.metered import MeteredClient
    from socap_cli.model.cadence import LookPrices
    from socap_cli.model.engagement import LabelRules
    from socap_cli.providers import Provider
    from socap_cli.report.gather import ReportOptions
    from socap_cli.report.values import Brand, Edition
    from socap_cli.settings import Configuration
    from socap_cli.store import Db
    from socap_cli.store.embedded import Embedded
    from socap_cli.store.importance import ImportanceCollections
    from socap_cli.work.context import WorkContext


RESTART = 3.0
"""Seconds for which one operation waits for the embedded server; whoever can wait longer then starts it again."""
CLOCK_TOLERANCE = 120.0
"""Seconds by which a host's clock may differ from the database's."""
LOOK_FOR_IT = "check --data-dir, HOME, MONGODB_URI and the configuration file"


class Bootstrap:
    """Builds what a command needs, each when it is first asked for."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        inform: Callable[[str], object] = lambda _: None,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.configuration = configuration
        self.settings = configuration.settings
        self._inform = inform
        self._warn = warn
        self.clock_offset = timedelta()
        """How far the database's clock is ahead of this host's, once it is open."""

    @contextmanager
    def database(self, *, patience: float = 5.0, may_be_new: bool = False) -> Iterator[Db]:
        """The database with its indexes; the embedded one is started when no URI is set.

        A new one is warned of, unless it may be: a wrong home or configuration looks like that. Raises StoreError,
        and LockHeld while a restore is under way.
        """
        from socap_cli.store.connect import clock_offset, prepare, retry_until_available

        with self._opened(patience) as db:
            if secret(self.settings.database.uri):
                (is_new, ended), self.clock_offset = prepare(db), clock_offset(db)
            else:  # the embedded server may have ended since
                (is_new, ended), self.clock_offset = retry_until_available(
                    lambda: (prepare(db), clock_offset(db)), patience=RESTART, restart=self.restart
                )
            if is_new and not may_be_new:
                self._warn(f"made a new empty database in {self.place}; if you have one, {LOOK_FOR_IT}")
            if ended:
                self._warn(ended)
            ahead = -self.clock_offset.total_seconds()
            if abs(ahead) > CLOCK_TOLERANCE:
                direction = "ahead of" if ahead > 0 else "behind"
                self._warn(
                    f"this host's clock is {abs(ahead):,.0f} s {direction} the database's; run NTP on both"
                )
            yield db

    @contextmanager
    def _opened(self, patience: float) -> Iterator[Db]:
        from socap_cli.store import ELECTION, open_database

        names = self.settings.database
        uri, election = secret(names.uri), ELECTION
        if not uri:
            if self._start():
                self._inform(f"started the embedded database in {self.settings.data_dir}")
            uri, election = self.embedded().uri, RESTART
        with open_database(
            uri, self.settings.database.name, patience=patience, election=min(election, names.patience)
        ) as db:
            yield db

    def _start(self) -> bool:
        """Start the embedded server; True when it did not run. Raises DatabaseUnreachable where it is not ours."""
        embedded = self.embedded()
        if self.settings.database.autostart or embedded.is_up():
            return embedded.start()
        raise DatabaseUnreachable(
            f"the embedded database in {embedded.data_dir} does not run, and [database] autostart is off",
            hint="start its unit: systemctl start socap-db; or socap db start",
        )

    @property
    def place(self) -> str:
        """Where the database is, for people."""
        if secret(self.settings.database.uri):
            return f"{self.settings.database.name} at MONGODB_URI"
        return str(self.settings.data_dir)

    def embedded(self) -> Embedded:
        """The embedded database of the data folder; nothing is started."""
        from socap_cli.store.embedded import Embedded

        return Embedded(self.settings.data_dir)

    def importance(self) -> ImportanceCollections:
        """The names of the firm's own collections."""
        from socap_cli.store.importance import ImportanceCollections

        names = self.settings.database
        return ImportanceCollections(names.following_index, names.important_people)

    def rules(self) -> LabelRules:
        """The rules for categories: those of the file that is named, else the package's. Raises UsageError."""
        from socap_cli.importance import default_rules, load_rules

        path = self.rules_file()
        return load_rules(str(path)) if path else default_rules()

    def rules_file(self) -> Path | None:
        """The file of rules that the configuration names, relative to its own place."""
        path = self.settings.importance.categories
        return self.configuration.folder / path if path else None

    def key(self) -> str:
        """The provider's key. Raises ConfigError that says how to set it."""
        key = secret(self.settings.provider.api_key)
        if not key:
            raise ConfigError(
                "no provider key", hint=f"set TWITTER_API_KEY (a key of {self.settings.provider.name})"
            )
        return key

    def restart(self) -> None:
        """Start the embedded database again if it is that which went away. Raises StoreError."""
        if not secret(self.settings.database.uri):
            self._start()


@contextmanager
def open_provider(built: Bootstrap, *, needs_key: bool = True) -> Iterator[Provider]:
    """The data provider, closed afterwards; without its key it can only declare things. Raises ConfigError."""
    from socap_cli.providers.table import build_provider

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
    from socap_cli.client.limiter import Limiter
    from socap_cli.client.metered import Budget, Meter, MeteredClient

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
    from socap_cli.work.context import WorkContext
    from socap_cli.work.writer import EngagementWriter

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


def look_policy(built: Bootstrap, db: Db) -> LookPolicy:
    """What decides when tweets are looked at."""
    from socap_cli.client.looks import LookPolicy, look_prices
    from socap_cli.model.cadence import Cadence, Limits

    wanted = built.settings.collection

    def prices() -> LookPrices:
        with open_provider(built, needs_key=False) as provider:
            return look_prices(db, provider)

    return LookPolicy(
        Cadence(wanted.cadence), Limits(worth=wanted.hour_worth), built.settings.budget, cache(prices)
    )


def report_options(built: Bootstrap, edition: Edition) -> ReportOptions:
    """What a report holds, for whom."""
    from socap_cli.report.gather import ReportOptions

    settings = built.settings
    zone = ZoneInfo(settings.report.timezone)
    return ReportOptions(edition, settings.report.rows, zone, settings.provider.usd_per_credit)


def report_brand(built: Bootstrap) -> Brand:
    """Whose reports these are; the logo's file is relative to the configuration. Raises ConfigError."""
    from socap_cli.report.page import brand_of

    wanted = built.settings.report
    logo = built.configuration.folder / wanted.logo if wanted.logo else None
    return brand_of(wanted.model_copy(update={"logo": logo}))


def channels_of(built: Bootstrap, now: Callable[[], datetime] | None = None) -> dict[str, Channel]:
    """The ways to alert people, by name; `now` dates what they send. Raises ConfigError."""
    from socap_cli.channels import open_channels, utc_now

    return open_channels(built.settings.alerts, now or utc_now)


def alert_context(
    built: Bootstrap,
    db: Db,
    *,
    now: Callable[[], datetime] | None = None,
    stop: threading.Event | None = None,
) -> AlertContext:
    """What the stages of telling people share; by the database's clock unless another is given."""
    from socap_cli.alerts.context import AlertContext
    from socap_cli.store.connect import clock

    waiting, now = stop or threading.Event(), now or clock(db)
    return AlertContext(
        db,
        channels_of(built, now),
        built.settings.alerts,
        now,
        names=built.importance(),
        stop=waiting,
        sleep=waiting.wait,
        patience=built.settings.database.patience,
        restart=built.restart,
        lease=max(60.0, 4 * built.settings.alerts.timeout),
        report_url=built.settings.report.url or "",
        has_client_folders=built.settings.report.edition == "client",
    )
