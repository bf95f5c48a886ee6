"""The one place that builds things: settings, database, provider, outlets, desk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from socap_cli.cli.run import Run
from socap_cli.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from socap_cli.alerts.send import Outlets
    from socap_cli.config import Settings
    from socap_cli.providers import TwitterApiIo
    from socap_cli.store import Db
    from socap_cli.store.embedded import Embedded
    from socap_cli.store.importance import FirmCollections
    from socap_cli.work.desk import Desk


class Shop:
    """Builds what a command needs from its run's configuration, each when it is first asked for."""

    def __init__(self, run: Run, settings: Settings | None = None) -> None:
        from socap_cli import config

        self.run = run
        self.settings = settings or config.load(run.config, data_dir=run.data_dir)

    @contextmanager
    def database(self, *, patience: float = 5.0) -> Iterator[Db]:
        """The database with its indexes; the embedded one is started when no URI is set."""
        from socap_cli.store import ELECTION, indexes, open_database

        wanted = self.settings.database
        uri = secret(wanted.uri)
        election = min(ELECTION, wanted.patience)
        if not uri:
            election = 0.5  # none is held: nobody but this program brings the embedded one back
            embedded = self.embedded()
            if embedded.start():
                self.run.say(f"started the embedded database in {embedded.data_dir}")
            uri = embedded.uri
        with open_database(uri, wanted.name, patience=patience, election=election) as db:
            if not indexes.present(db):
                indexes.ensure(
                    db, following_index=wanted.following_index, important_people=wanted.important_people
                )
            yield db

    def embedded(self) -> Embedded:
        from socap_cli.store.embedded import Embedded

        return Embedded(self.settings.data_dir)

    def firm(self) -> FirmCollections:
        from socap_cli.store.importance import FirmCollections

        names = self.settings.database
        return FirmCollections(names.following_index, names.important_people)

    def key(self) -> str:
        """The provider's key. Raises ConfigError that says how to set it."""
        key = secret(self.settings.provider.api_key)
        if not key:
            raise ConfigError("no provider key", hint="set TWITTER_API_KEY (a key of twitterapi.io)")
        return key

    @contextmanager
    def provider(self) -> Iterator[TwitterApiIo]:
        from socap_cli.providers import Prices, TwitterApiIo

        wanted = self.settings.provider
        prices = Prices(wanted.price_tweet, wanted.price_user, wanted.price_minimum)
        provider = TwitterApiIo(
            self.key(), url=wanted.url, batch=wanted.batch, timeout=wanted.timeout, prices=prices
        )
        try:
            yield provider
        finally:
            provider.close()

    def desk(
        self,
        db: Db,
        provider: TwitterApiIo,
        *,
        now: Callable[[], datetime],
        stop: threading.Event | None = None,
        at_once: int = 50,
    ) -> Desk:
        from socap_cli.work.budget import Budget, Limits
        from socap_cli.work.calls import Calls
        from socap_cli.work.delta import Policy
        from socap_cli.work.desk import Desk

        wanted = self.settings.collection
        policy = Policy(
            boundary_run=wanted.boundary_run,
            verify_every=timedelta(hours=wanted.verify_every_hours),
            tolerance=wanted.tolerance,
            empty_pages=wanted.empty_pages,
            gap_after=timedelta(minutes=wanted.gap_after_minutes),
            pages_per_job=wanted.pages_per_job,
        )
        budget = Budget(db, Limits(**self.settings.budget.model_dump()))
        rate = self.settings.provider.rate
        stopping = stop or threading.Event()
        calls = Calls(db, provider, self.key(), rate, now, stopping, budget=budget, at_once=at_once)
        # A list is held for longer than a job, so that a taken-over job finds it free again or waits its turn.
        held_for = 2 * self.settings.worker.lease
        return Desk(
            db,
            calls,
            now,
            policy=policy,
            firm=self.firm(),
            list_lease=held_for,
            patience=self.settings.database.patience,
            revive=self.revive,
        )

    def revive(self) -> None:
        """Start the embedded database again if it is that which went away."""
        if not secret(self.settings.database.uri):
            self.embedded().start()

    def outlets(self) -> Outlets:
        from socap_cli.alerts import mail
        from socap_cli.alerts.send import Outlets

        wanted = self.settings.alerts
        smtp = secret(wanted.email_smtp)
        return Outlets(
            slack_webhook=secret(wanted.slack_webhook),
            webhook_hosts=wanted.webhook_hosts,
            mail_server=mail.parse_server(smtp) if smtp else None,
            mail_from=wanted.email_from,
            mail_to=tuple(mail.check_address(address) for address in wanted.email_to),
            timeout=wanted.timeout,
            max_attempts=wanted.max_attempts,
            resend_unknown=wanted.resend_unknown,
        )


def secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value().strip() or None if value else None
