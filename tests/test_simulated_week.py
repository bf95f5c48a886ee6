"""Days of unattended work by the lines of crontab.example: the clock is shifted from line to line, everything else is
real. Providers, Slack, mail and the database fail on the way, and the host dies once.

`make week` runs seven days; the suite some hours.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.shifted_clock import ShiftedClock

from socap_cli.simulator.server import Mailbox, Simulator
from socap_cli.simulator.world import Comparison, World, compare, true_keys
from socap_cli.store import Db, engagements

ROOT = Path(__file__).parent.parent
HOURS = float(os.environ.get("SOCAP_WEEK_HOURS", "2"))
TWEETS = int(os.environ.get("SOCAP_WEEK_TWEETS", "30"))
MINUTE = timedelta(minutes=1)
ENTRY = re.compile(r"((?:[\d*/,-]+\s+){5})(.+)")
ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)")
FIGURES = os.environ.get("SOCAP_WEEK_FIGURES")
"""Where to write what was measured."""
SLOWEST = 900
"""Real seconds for one line."""
MEGABYTE = 1024 * 1024
SETTINGS = """
[provider]
rate = 0
patience = 2

[database]
patience = 30

[alerts]
email_from = "alerts@agency.example"
email_to = ["launch-team@agency.example"]
timeout = 1
"""


@dataclass(frozen=True)
class Entry:
    """A line of the table: when, and what."""

    fields: tuple[str, ...]
    command: str

    def is_due(self, moment: datetime) -> bool:
        """Whether cron would run it in that minute."""
        values = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
        return all(_matches(field, value) for field, value in zip(self.fields, values, strict=True))

    @property
    def name(self) -> str:
        found = re.findall(r"socap (?:-\w+ )*([a-z]+(?: [a-z]+)?)", self.command)
        return " + ".join(found)


def _matches(field: str, value: int) -> bool:
    for part in field.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if span == "*":
            if value % int(step or 1) == 0:
                return True
        elif int(low) <= value <= int(high or low):
            return True
    return False


def crontab(folder: Path) -> tuple[dict[str, str], list[Entry]]:
    """The variables and lines of crontab.example, its places in this folder."""
    text = (ROOT / "crontab.example").read_text("utf-8")
    for place, here in (
        ("/opt/socap/bin", Path(sys.executable).parent),
        ("/etc/socap", folder / "etc"),
        ("/var/lib/socap", folder / "lib"),
        ("/var/www/socap", folder / "www"),
    ):
        text = text.replace(place, str(here))
    variables, entries = {}, []
    for line in text.splitlines():
        if found := ASSIGNMENT.fullmatch(line):
            variables[found[1]] = found[2]
        elif found := ENTRY.fullmatch(line):
            entries.append(Entry(tuple(found[1].split()), found[2].replace("\\%", "%")))
    return variables, entries


@dataclass
class Host:
    """One host with its cron, in a folder of its own."""

    folder: Path
    start: datetime
    clock: ShiftedClock
    simulator: Simulator
    mailbox: Mailbox
    now: datetime = field(init=False)
    mails: list[tuple[datetime, str, str]] = field(default_factory=list)
    """What cron would mail: when, which line, what it printed."""
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    kills: int = 0

    def __post_init__(self) -> None:
        self.now = self.start
        self.variables, self.entries = crontab(self.folder)
        for name in ("etc", "lib", "www"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "etc/socap.toml").write_text(SETTINGS)
        (self.folder / "etc/twitter-api-key").write_text("key\n")
        self.environment = {
            **self.variables,
            "HOME": str(self.folder),
            "TWITTER_API_URL": self.simulator.url,
            "SOCAP_ALERT_SLACK_WEBHOOK": f"{self.simulator.url}/sim/slack",
            "SOCAP_ALERTS__WEBHOOK_HOSTS": self.simulator.url.removeprefix("http://"),
            "SOCAP_ALERT_EMAIL_SMTP": self.mailbox.url,
            **self.clock.environment,
        }

    def go_to(self, moment: datetime) -> None:
        """Set every clock."""
        self.simulator.clock.advance(moment - self.simulator.clock.now())
        self.clock.shift(round(moment.timestamp() - time.time()))
        self.now = moment

    def socap(self, *words: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """Type a command and return its result."""
        program = Path(sys.executable).with_name("socap")
        done = subprocess.run(
            [program, "--json", *words], env=self.environment, capture_output=True, text=True, timeout=SLOWEST
        )
        assert done.returncode in codes, (words, done.stdout, done.stderr)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["result"]
        return result

    def begin(self, entry: Entry) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.variables["SHELL"], "-c", entry.command],
            env=self.environment, cwd=self.folder, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def minute(self, moment: datetime, meanwhile: Callable[[Host], object] = lambda _: None) -> None:
        """Run what is due in a minute, all at once; whatever is printed is mailed."""
        due = [entry for entry in self.entries if entry.is_due(moment)]
        if not due:
            return
        self.go_to(moment)
        running = [(entry, self.begin(entry)) for entry in due]
        meanwhile(self)
        for entry, process in running:
            printed, _ = process.communicate(timeout=SLOWEST)
            self.codes[entry.name, process.returncode] += 1
            if printed and process.returncode >= 0:
                self.mails.append((moment, entry.name, printed))

    def mongod(self) -> list[int]:
        """The database's server, by its pid file."""
        found = (self.folder / "lib").rglob("mongod.pid")
        return [int(text) for path in found if (text := path.read_text().strip())]

    def kill_mongod(self) -> None:
        for pid in self.mongod():
            with _gone_is_fine():
                os.kill(pid, signal.SIGKILL)
                self.kills += 1

    def die(self) -> None:
        """Everything of this host ends at once."""
        time.sleep(1.5)
        marker = f"HOME={self.folder}".encode()
        for entry in Path("/proc").iterdir():
            with _gone_is_fine():
                if entry.name.isdigit() and marker in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
                    self.kills += 1


def _gone_is_fine() -> suppress:
    return suppress(ProcessLookupError, FileNotFoundError, PermissionError)


@contextmanager
def host(folder: Path) -> Iterator[Host]:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS)
    clock = ShiftedClock(folder)
    with ExitStack() as stack:
        world = World(start=start, tweets=TWEETS, hours=HOURS, engagements=45.0 if HOURS > 24 else 20.0)
        simulator = stack.enter_context(Simulator(world))
        mailbox = stack.enter_context(Mailbox())
        one = Host(folder, start, clock, simulator, mailbox)
        stack.callback(one.die)
        yield one


def _register(one: Host) -> None:
    one.go_to(one.start)
    (one.folder / "tweets.csv").write_text(one.simulator.tweets_csv())
    world = one.simulator.world
    tree = {"important_people": world.important, "following_index": world.following_index}
    (one.folder / "importance.json").write_text(json.dumps(tree))
    one.socap("importance", "import", str(one.folder / "importance.json"))
    one.socap(
        "campaign", "add", "launch", "--from", str(one.folder / "tweets.csv"), "--days", str(HOURS / 24 + 1),
        "--threshold", "10", "--client-email", "client@brand.example",
    )  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong for a part of the time."""

    name: str
    begins: float
    ends: float
    """Parts of the whole."""
    begin: Callable[[Host], object]
    end: Callable[[Host], object]


def _faults(**rates: float) -> Callable[[Host], object]:
    return lambda one: one.simulator.faults.update(dict(rates))


def _slack(**how: Any) -> Callable[[Host], object]:
    def change(one: Host) -> None:
        for name, value in how.items():
            setattr(one.simulator.slack, name, value)

    return change


def _mail(answer: str = "") -> Callable[[Host], object]:
    def change(one: Host) -> None:
        one.mailbox.answers = {"launch-team@agency.example": answer} if answer else {}

    return change


TROUBLES = (
    Trouble(
        "some requests fail", 0.02, 0.95, _faults(errors=0.03, garbled=0.02), _faults(errors=0.0, garbled=0.0)
    ),
    Trouble("the provider is down", 0.10, 0.14, _faults(errors=1.0), _faults(errors=0.03)),
    Trouble("Slack answers 500", 0.20, 0.26, _slack(status=500), _slack(status=200)),
    Trouble("Slack hangs", 0.30, 0.33, _slack(hang_seconds=5.0), _slack(hang_seconds=0.0)),
    Trouble("the mail server defers", 0.38, 0.44, _mail("451 4.7.1 later"), _mail()),
    Trouble("the provider limits", 0.46, 0.50, _faults(limited=0.3), _faults(limited=0.0)),
)
DATABASE_DIES = (0.55, 0.62)
HOST_DIES, HOST_IS_BACK = 0.72, 0.75


def _live_on(one: Host) -> None:
    """All the minutes of the time, with everything that goes wrong in them."""
    rng = random.Random(11)
    minutes = int(HOURS * 60)
    dead = False
    for number in range(1, minutes):
        moment, part, before = one.start + number * MINUTE, number / minutes, (number - 1) / minutes
        for trouble in TROUBLES:
            if before < trouble.begins <= part:
                trouble.begin(one)
            if before < trouble.ends <= part:
                trouble.end(one)
        if HOST_DIES <= part < HOST_IS_BACK:
            if not dead and any(entry.is_due(moment) for entry in one.entries):
                one.minute(moment, Host.die)
                dead = True
            continue
        kill = DATABASE_DIES[0] <= part < DATABASE_DIES[1] and rng.random() < 0.5

        def kill_soon(it: Host, after: float = rng.uniform(0.3, 2.5)) -> None:
            time.sleep(after)
            it.kill_mongod()

        one.minute(moment, kill_soon) if kill else one.minute(moment)


def _settle(one: Host) -> tuple[Comparison, Db]:
    """Everything is well again, and everything is looked at once more; then some hours go by for the alerts."""
    end = one.start + timedelta(hours=HOURS)
    for step in range(5):
        one.go_to(end + timedelta(minutes=step))
        one.socap("enqueue", "--verify", codes=(0, 4))
        one.socap("work")
    db = _documents(one)
    found = compare(true_keys(one.simulator.truth()), engagements.stored_ids(db, present=True))
    for hour in range(1, 4):
        one.go_to(end + timedelta(hours=hour))
        one.socap("alerts", "send", codes=(0, 4))
    return found, db


def _documents(one: Host) -> Db:
    socket = one.socap("db", "status")["socket"].replace("/", "%2F")
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(f"mongodb://{socket}/", tz_aware=True)
    return client.socap


@pytest.mark.exhaustive
@pytest.mark.timeout(36_000)
def test_after_days_of_trouble_everything_is_there_and_everybody_was_told(tmp_path: Path) -> None:
    with host(tmp_path) as one:
        _register(one)
        began = time.monotonic()
        _live_on(one)
        lived = time.monotonic() - began
        found, db = _settle(one)
        kept = _figures(one, db, lived)
        if FIGURES:
            Path(FIGURES).write_text(json.dumps(kept, indent=1, default=str))

        assert found.exact, found

        owed = {
            row["_id"] for row in db.engagements.find({"importance_score": {"$gte": 10}, "removed_at": None})
        }
        states = Counter(row["status"] for row in db.alert_queue.find({}, {"status": 1}))
        assert owed <= {row["engagement_id"] for row in db.alert_queue.find({}, {"engagement_id": 1})}
        assert set(states) <= {"sent", "dropped"}, states

        assert kept["mails about troubles"] <= len(TROUBLES) + kept["kills"], one.mails


def _figures(one: Host, db: Any, lived: float) -> dict[str, Any]:
    data = [path for path in (one.folder / "lib").rglob("*") if path.is_file()]
    about = [mail for mail in one.mails if "status" not in mail[1]]
    return {
        "hours": HOURS,
        "real seconds": round(lived),
        "runs": sum(one.codes.values()),
        "exit codes": {f"{name}: {code}": count for (name, code), count in sorted(one.codes.items())},
        "engagements": db.engagements.count_documents({}),
        "snapshots": db.metric_snapshots.count_documents({}),
        "alerts": dict(Counter(row["status"] for row in db.alert_queue.find({}, {"status": 1}))),
        "slack messages": len(one.simulator.slack.messages),
        "mails sent": len(one.mailbox.messages),
        "kills": one.kills,
        "mails about troubles": len(about),
        "mails by line": dict(Counter(name for _, name, _ in one.mails)),
        "what was mailed": [
            f"{moment:%d %H:%M} {name}: {text.strip()[:300]}" for moment, name, text in one.mails
        ],
        "data folder, MB": round(sum(path.stat().st_size for path in data) / MEGABYTE, 1),
        "files": len(data),
        "logs, MB": round(sum(path.stat().st_size for path in data if ".log" in path.name) / MEGABYTE, 2),
        "data in the database, MB": round(db.command("dbStats")["totalSize"] / MEGABYTE, 1),
        "largest process, MB": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }
