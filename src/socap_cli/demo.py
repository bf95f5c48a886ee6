"""The whole story on a simulated provider, through the same stage functions as the commands."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from socap_cli import http
from socap_cli.alerts.send import send_alerts
from socap_cli.bootstrap import (
    Bootstrap,
    alert_context,
    open_client,
    open_provider,
    report_brand,
    report_wanted,
    work_context,
)
from socap_cli.campaigns import adding, source
from socap_cli.campaigns.adding import Verifier
from socap_cli.enqueue import Wanted, enqueue
from socap_cli.errors import SocapError
from socap_cli.importance import importing
from socap_cli.importance.importing import import_list
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.kinds import LISTS
from socap_cli.providers import Provider as DataProvider
from socap_cli.report.publish import Site, publish
from socap_cli.report.values import Edition
from socap_cli.settings import Alerts, Provider, Settings
from socap_cli.simulator.server import Mailbox
from socap_cli.simulator.world import Comparison, compare, true_keys
from socap_cli.store import Db, alert_queue, campaigns, engagements
from socap_cli.work.worker import Worker

SLUG = "launch"


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo shows."""

    exact: bool
    tweets: int
    cycles: int
    lists: dict[str, Comparison]
    removed: int
    jobs: int
    snapshots: int
    requests: int
    requests_seen_by_provider: int
    requests_without_gate: int
    """What reading every list in every cycle would have asked."""
    cost: int
    """Credits."""
    usd: float
    alerts_planned: int
    alerts_sent: int
    alerts_received: dict[str, int]
    pages: list[str]


@dataclass
class Environment:
    """The parts, and the scenario's clock."""

    built: Bootstrap
    db: Db
    provider: DataProvider
    simulator: str
    """Its address."""
    mailbox: Mailbox
    files: Path
    start: datetime
    clock: datetime

    def now(self) -> datetime:
        """The scenario's time."""
        return self.clock

    def ask(self, path: str, *, method: str = "GET") -> Any:
        """What the simulator answers. Raises HttpError."""
        response = http.request(
            method, f"{self.simulator}{path}", headers={}, timeout=ANSWER_TIMEOUT, largest=LARGEST_ANSWER
        )
        if response.failure or response.status != 200:
            raise response.failure or http.HttpError(f"{path}: HTTP {response.status}")
        return json.loads(response.body)

    def advance(self, step: timedelta) -> None:
        """Let time go by, for the scenario and for the simulator."""
        minutes = step.total_seconds() / 60
        self.ask(f"/sim/advance?minutes={minutes}", method="POST")
        self.clock += step


@dataclass
class Scenario:
    """The stages, one after the other."""

    environment: Environment
    cycles: int
    totals: Counter[str] = field(default_factory=Counter)

    def set_up(self) -> None:
        """Important people, the following index, and the campaign from its file."""
        here = self.environment
        listed = importing.read((here.files / "importance.json").read_text(encoding="utf-8"))
        import_list(here.db, here.built.importance(), listed, now=here.now())
        lines = source.read((here.files / "tweets.csv").read_text(encoding="utf-8"), name="tweets.csv")
        campaign = self._campaign([person.username for person in listed.people.values()])
        client = open_client(here.built, here.db, here.provider, now=here.now)
        adding.add(here.db, campaign, lines, verifier=Verifier(client), now=here.now())
        self._count(client.counts.requests, client.counts.cost)

    def _campaign(self, people: list[str]) -> Campaign:
        start = self.environment.start
        return Campaign(
            slug=SLUG,
            name="Launch week",
            status=CampaignStatus.ACTIVE,
            starts_at=start,
            ends_at=start + CYCLE * self.cycles,
            threshold=15.0,
            channels=("slack", "email"),
            spacing_minutes=20,
            frequency_window_minutes=30,
            created_at=start,
            client_name="Example Labs",
            vips=tuple(people[:2]),
            ignores=tuple(people[2:3]),
        )

    def cycle(self, *, verify: bool = False) -> None:
        """Enqueue, work, alert."""
        here = self.environment
        enqueue(here.db, Wanted(verify=verify), now=here.now())
        client = open_client(here.built, here.db, here.provider, now=here.now, stop=threading.Event())
        done = Worker(work_context(here.built, here.db, client)).run()
        self._count(done.requests, done.cost)
        self.totals.update(
            jobs=done.completed + done.unchanged, failed=done.failed, engagements_new=done.engagements_new,
            snapshots=done.snapshots,
        )  # fmt: skip
        self._alert()

    def _alert(self) -> None:
        here = self.environment
        context = replace(alert_context(here.built, here.db, now=here.now), sleep=lambda _: None)
        done = send_alerts(context)
        self.totals.update(
            planned=done.planned, sent=done.sent, troubled=done.failed + done.dead + done.unknown
        )

    def send_rest(self) -> None:
        """Let the last alerts' times come."""
        while alert_queue.due_later(self.environment.db, after=self.environment.now())[0]:
            self.environment.advance(CYCLE)
            self._alert()

    def result(self, truth: dict[Any, Any], folder: Path) -> DemoResult:
        """Render the report, and compare what is stored with what is true."""
        here = self.environment
        price = here.built.settings.provider.usd_per_credit
        wanted = report_wanted(here.built, Edition.OPERATOR)
        found = campaigns.listed(here.db)
        pages = publish(here.db, found, Site(folder, wanted, report_brand(here.built)), now=here.now()).pages
        stored = list(engagements.stored_ids(here.db, present=True))
        keys = true_keys(truth)
        lists = {kind.name: compare(keys, stored, action_type=kind.action_type) for kind in LISTS.values()}
        tweets = campaigns.count_tweets(here.db, SLUG)
        received = {
            "slack": len(here.ask("/sim/messages")["slack"]),
            "email": len(here.mailbox.messages),
        }
        all_received = sum(received.values()) == self.totals["sent"]
        exact = all(row.exact for row in lists.values()) and not self.totals["failed"] and all_received
        return DemoResult(
            exact=exact,
            tweets=tweets,
            cycles=self.cycles,
            lists={str(name): row for name, row in lists.items()},
            removed=len(list(engagements.stored_ids(here.db, present=False))),
            jobs=self.totals["jobs"],
            snapshots=self.totals["snapshots"],
            requests=self.totals["requests"],
            requests_seen_by_provider=sum(here.ask("/sim/state")["ledger"]["requests"].values()),
            requests_without_gate=(self.cycles + 1) * tweets * (1 + len(LISTS)),
            cost=self.totals["cost"],
            usd=round(self.totals["cost"] * price, 2),
            alerts_planned=self.totals["planned"],
            alerts_sent=self.totals["sent"],
            alerts_received=received,
            pages=[str(path) for path in pages],
        )

    def _count(self, requests: int, cost: float) -> None:
        self.totals["requests"] += requests
        self.totals["cost"] += int(cost)


CYCLE = timedelta(minutes=30)
ANSWER_TIMEOUT = 60.0
LARGEST_ANSWER = 2**30


@contextmanager
def environment(*, tweets: int, cycles: int, seed: int) -> Iterator[Environment]:
    """Start everything; nothing is left running afterwards. Raises SocapError."""
    now = datetime.now(UTC)
    start = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0) - CYCLE * cycles
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="socap-demo-", ignore_cleanup_errors=True)
        scratch = Path(stack.enter_context(folder))
        url = stack.enter_context(_simulator(scratch, tweets=tweets, seed=seed, start=start))
        mailbox = stack.enter_context(Mailbox())
        built = Bootstrap(_settings(scratch, url, mailbox))
        stack.callback(built.embedded().stop)
        yield Environment(
            built=built,
            db=stack.enter_context(built.database()),
            provider=stack.enter_context(open_provider(built)),
            simulator=url,
            mailbox=mailbox,
            files=scratch / "files",
            start=start,
            clock=start,
        )


def _settings(scratch: Path, url: str, mailbox: Mailbox) -> Settings:
    """Nothing of the operator's own configuration reaches the demo, and the demo reaches nothing of it."""
    alerts = Alerts(
        slack_webhook=SecretStr(f"{url}/sim/slack"),
        webhook_hosts=(url.removeprefix("http://"),),
        email_smtp=SecretStr(mailbox.url),
        email_from="alerts@agency.example",
        email_to=("launch-team@agency.example",),
    )
    provider = Provider(api_key=SecretStr("demo"), url=url, rate=0)
    return Settings(data_dir=scratch / "data", provider=provider, alerts=alerts)


@contextmanager
def _simulator(scratch: Path, *, tweets: int, seed: int, start: datetime) -> Iterator[str]:
    """The simulator in a process of its own, which ends with this one; yields its address."""
    command = [
        sys.executable, "-m", "socap_cli", "simulate", "--port", "0", "--speed", "0", "--tweets", str(tweets),
        "--seed", str(seed), "--start", start.isoformat(), "--files", str(scratch / "files"), "--end-with-stdin",
    ]  # fmt: skip
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        words = process.stdout.readline().split()
        url = next((word for word in words if word.startswith("http://")), None)
        if url is None:
            raise SocapError("the simulator did not start", hint="try it alone: socap simulate")
        yield url
    finally:
        process.kill()
        process.communicate()
