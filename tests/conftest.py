"""Real parts for every test: a mongod of its own, the simulator over HTTP, an SMTP server."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from support.lab import START, Lab
from support.servers import Hook, hook
from support.terminal import Cli

from socap_cli.errors import NoMongod
from socap_cli.simulator.server import Mailbox, Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db, indexes, open_database
from socap_cli.store.embedded import Embedded

SERVERS = frozenset({"mongod", "replica_set", "cluster", "simulate", "canned", "mailbox", "team", "boss"})
"""Fixtures that start one."""
BROWSERS = frozenset({"chromium"})
MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that must be free there."""
settings.register_profile("fast", max_examples=25)
"""Of `make test-fast`; the whole suite tries as many as the library does by default."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser: by its fixtures. A module that starts its own says so by `pytestmark`."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)
        if BROWSERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _no_configuration_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see no operator's settings: no environment, no config file, a HOME of their own."""
    for name in list(os.environ):
        if name.startswith(("SOCAP_", "TWITTER_", "MONGODB_")):  # what scales tests is read before
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("COLUMNS", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home)


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real mongod, stopped at the end; in memory where it has room: each new index waits for the disk."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    parent = MEMORY if has_room else tmp_path_factory.mktemp("mongod")
    with tempfile.TemporaryDirectory(prefix="socap-tests-", dir=parent) as folder:
        embedded = Embedded(Path(folder))
        try:
            embedded.start()
        except NoMongod as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"needs a mongod: {error.hint}")
        yield embedded.uri
        embedded.stop()


@pytest.fixture
def db(mongod: str) -> Iterator[Db]:
    """An empty database with its indexes."""
    with open_database(mongod, f"t{uuid.uuid4().hex[:12]}") as database:
        indexes.ensure(database)
        yield database
        database.client.drop_database(database.name)


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Start simulators; `simulate(tweets=…, engagements=…, page=…)`."""
    started: list[Simulator] = []

    def start(
        *, page: int = 20, key: str | None = None, wire_format: str = "twitterapi", **world: Any
    ) -> Simulator:
        options: dict[str, Any] = {"start": START, "tweets": 3, "engagements": 0.0, "accounts": 400, **world}
        simulator = Simulator(World(**options), page=page, key=key, wire_format=wire_format)
        started.append(simulator.__enter__())
        return simulator

    yield start
    for simulator in started:
        simulator.close()


@pytest.fixture
def lab(db: Db, simulate: Callable[..., Simulator]) -> Iterator[Callable[..., Lab]]:
    """A campaign over a simulated world; `lab(tweets=…, …)`."""
    made: list[Lab] = []

    def make(**options: object) -> Lab:
        made.append(Lab(db, simulate(**options)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, db: Db, mongod: str) -> Cli:
    monkeypatch.setenv("MONGODB_URI", mongod)
    monkeypatch.setenv("SOCAP_DATABASE__NAME", db.name)
    return Cli(capsys)


@pytest.fixture
def simulator(simulate: Callable[..., Simulator], monkeypatch: pytest.MonkeyPatch) -> Simulator:
    one = simulate(tweets=8, engagements=15.0, start=datetime.now(UTC) - timedelta(minutes=1))
    monkeypatch.setenv("TWITTER_API_URL", one.url)
    monkeypatch.setenv("TWITTER_API_KEY", "k")
    monkeypatch.setenv("SOCAP_PROVIDER__RATE", "0")
    return one


@pytest.fixture
def team() -> Iterator[Hook]:
    """A receiver of alerts."""
    with hook() as one:
        yield one


@pytest.fixture
def boss() -> Iterator[Hook]:
    """Another one."""
    with hook() as one:
        yield one
