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
from zlib import crc32

import pytest
from hypothesis import settings
from support.databases import SharedDatabase
from support.lab import START, Lab
from support.servers import Hook, hook
from support.terminal import Cli

from socap_cli.errors import NoMongod
from socap_cli.simulator.server import Mailbox, Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db, open_database
from socap_cli.store.embedded import Embedded

SERVERS = frozenset({"mongod", "replica_set", "cluster", "simulate", "canned", "mailbox", "team", "boss"})
"""Fixtures that start one."""
BROWSERS = frozenset({"chromium"})
LONG = frozenset({
    "test_alert_bursts", "test_alert_histories", "test_backups", "test_crash_histories", "test_kills",
    "test_queue_model", "test_rate_at_the_provider", "test_replica_set", "test_report_browser",
    "test_simulated_week", "test_stops", "test_two_hosts", "test_waiting_people",
})  # fmt: skip
"""Modules with tests of more than ten seconds."""
ALONE = frozenset({"test_alert_bursts", "test_rate_at_the_provider", "test_windows"})
"""Modules that measure time: beside other tests, on two cores, they would measure those."""
MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that must be free there."""
settings.register_profile("whole", deadline=None)
settings.register_profile("fast", max_examples=25, deadline=None)
"""Of `make test-fast`; the whole suite tries as many as the library does by default."""
settings.load_profile("whole")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server or a browser: by its fixtures. A module that starts its own says so by `pytestmark`.

    What takes long runs first, so that none of it is left for one worker at the end.
    """
    items.sort(key=lambda item: item.path.stem not in LONG)
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)
        if item.path.stem in ALONE:
            item.add_marker(pytest.mark.alone)
        if BROWSERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
            # Its pages are rendered by two workers instead of all.
            half = crc32(getattr(item, "originalname", item.name).encode()) % 2
            item.add_marker(pytest.mark.xdist_group(f"browser {half}"))


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


@pytest.fixture(scope="session")
def shared_database(mongod: str) -> Iterator[SharedDatabase]:
    """One database for all tests of a worker."""
    with open_database(mongod, f"t{uuid.uuid4().hex[:12]}") as database:
        yield SharedDatabase(database)


@pytest.fixture
def db(shared_database: SharedDatabase) -> Iterator[Db]:
    """An empty database with its indexes."""
    yield shared_database.prepared()
    shared_database.empty()


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
