"""Settings, database, rules: what every command needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from socap_cli.config import Settings
from socap_cli.errors import ConfigError, DatabaseUnreachable
from socap_cli.files.category_rules import default_rules, load_rules
from socap_cli.model.labels import LabelRules
from socap_cli.store import ELECTION, Db, open_database
from socap_cli.store.importance import ImportanceCollections
from socap_cli.store.preparing import prepare
from socap_cli.store.restarting import Restarter

if TYPE_CHECKING:
    from socap_cli.store.embedded import Embedded

RESTART = 15.0
"""Seconds in which the embedded server comes back, if it does."""
LOOK_FOR_IT = "check --data-dir, HOME, MONGODB_URI and the configuration file"


class Bootstrap:
    """Builds what a command needs, each when it is first asked for."""

    def __init__(
        self,
        settings: Settings,
        *,
        inform: Callable[[str], object] = lambda _: None,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.settings = settings
        self._inform = inform
        self._warn = warn

    @contextmanager
    def database(self, *, patience: float = 5.0, may_be_new: bool = False) -> Iterator[Db]:
        """The database with its indexes; the embedded one is started when no URI is set.

        A new one is warned of, unless it may be: a wrong home or configuration looks like that. Raises StoreError,
        and LockHeld while a restore is under way.
        """
        with self._opened(patience) as db:
            prepared = prepare(db)
            if prepared.is_new and not may_be_new:
                self._warn(f"made a new empty database in {self.place}; if you have one, {LOOK_FOR_IT}")
            if prepared.ended:
                self._warn(prepared.ended)
            yield db

    @contextmanager
    def _opened(self, patience: float) -> Iterator[Db]:
        wanted = self.settings.database
        if uri := secret(wanted.uri):
            with open_database(
                uri, wanted.name, patience=patience, election=min(ELECTION, wanted.patience)
            ) as db:
                yield db
            return
        with self._embedded_server() as (uri, restarter):
            election = min(RESTART, wanted.patience)
            with open_database(
                uri, wanted.name, patience=max(patience, election), election=election, listeners=[restarter]
            ) as db:
                yield db

    @contextmanager
    def _embedded_server(self) -> Iterator[tuple[str, Restarter]]:
        """The embedded server's URI. It is started, again whenever it goes away; a stop waits for the block."""
        embedded = self.embedded()
        restarter = Restarter(self._start)
        with embedded.in_use():
            if self._start():
                self._inform(f"started the embedded database in {embedded.data_dir}")
            try:
                yield embedded.uri, restarter
            except DatabaseUnreachable as error:
                raise restarter.failure or error from error
            finally:
                restarter.close()

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
        wanted = self.settings.database
        return f"{wanted.name} at MONGODB_URI" if secret(wanted.uri) else str(self.settings.data_dir)

    def embedded(self) -> Embedded:
        """The embedded database of the data folder; nothing is started."""
        from socap_cli.store.embedded import Embedded  # not for those who have a server of their own

        return Embedded(self.settings.data_dir)

    def importance(self) -> ImportanceCollections:
        """The names of the firm's own collections."""
        names = self.settings.database
        return ImportanceCollections(names.following_index, names.important_people)

    def rules(self) -> LabelRules:
        """The rules for categories: those of the file that is named, else the package's. Raises UsageError."""
        path = self.rules_file()
        return load_rules(str(path)) if path else default_rules()

    def rules_file(self) -> Path | None:
        """The file of rules that the configuration names, relative to its own place."""
        path = self.settings.importance.categories
        folder = self.settings.file.parent if self.settings.file else Path()
        return folder / path.expanduser() if path else None

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


def secret(value: SecretStr | None) -> str | None:
    """A secret's text; None when it is not set."""
    return value.get_secret_value().strip() or None if value else None
