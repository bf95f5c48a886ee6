"""The whole story on a simulated provider, through the same stage functions as the commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from socap_cli.alerts.send import send_alerts
from socap_cli.bootstrap import (
    Bootstrap,
    alert_context,
    open_client,
    open_provider,
    report_brand,
    report_options,
    work_context,
)
from socap_cli.campaigns import adding, source
from socap_cli.enqueue import enqueue
from socap_cli.importance import importing
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.kinds import LISTS
from socap_cli.providers import Provider
from socap_cli.report.publish import Site, publish
from socap_cli.report.values import Edition
from socap_cli.settings import AlertSettings, Configuration, ProviderSettings, Settings
from socap_cli.simulator.server import Mailbox, Simulator
from socap_cli.simulator.world import Comparison, ItemKey, World, compare, true_keys
from socap_cli.store import Db, alert_queue, campaigns, engagements
from socap_cli.work.worker import Worker

SLUG = "launch"
CYCLE = timedelta(minutes=30)
ALERTS_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo shows. `exact`: stored is what is true, no job failed, every message arrived."""

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
    """Those that reading every list in every cycle would have taken."""
    cost: int
    """Credits."""
    usd: float
    alerts_planned: int
    alerts_sent: int
    alerts_received: dict[str, int]
    pages: list[str]


@contextmanager
def open_scenario(folder: Path, *, tweets: int, cycles: int, seed: int) -> Iterator[Scenario]:
    """Start everything, with the database in a folder; nothing is left running afterwards. Raises SocapError."""
    now = datetime.now(UTC)
    start = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0) - CYCLE * cycles
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(World(start=start, tweets=tweets, seed=seed), seed=seed))
        mailbox = stack.enter_context(Mailbox())
        # Nothing of the operator's own configuration reaches the demo, and the demo reaches nothing of it.
        alerts = AlertSettings(
            slack_webhook=SecretStr(f"{simulator.url}/sim/slack"),
            webhook_hosts=(simulator.url.removeprefix("http://"),),
            email_smtp=SecretStr(mailbox.url),
            email_from="alerts@agency.example",
            email_to=("launch-team@agency.example",),
        )
        provider = ProviderSettings(api_key=SecretStr("demo"), url=simulator.url, rate=0)
        built = Bootstrap(Configuration(Settings(data_dir=folder, provider=provider, alerts=alerts)))
        stack.callback(built.embedded().stop)
        db = stack.enter_context(built.database())
        client = stack.enter_context(open_provider(built))
        yield Scenario(built, db, client, simulator, mailbox, cycles)


@dataclass
class Scenario:
    """The stages, one after the other, at the simulator's time."""

    built: Bootstrap
    db: Db
    provider: Provider
    simulator: Simulator
    mailbox: Mailbox
    cycles: int
    totals: Counter[str] = field(default_factory=Counter)

    def run(self, folder: Path, progress: Callable[[str], None]) -> DemoResult:
        """The whole story, with the report in a folder."""
        self.set_up()
        for number in range(1, self.cycles + 1):
            self.cycle()
            progress(f"cycle {number} of {self.cycles}, {self.totals['engagements_new']:,} engagements")
            self.advance()
        self.cycle(verify=True)
        truth = true_keys(self.simulator.truth())
        self.send_rest()
        progress("full pass over every list, report")
        return self._result(truth, folder)

    def set_up(self) -> None:
        """Important people, the following index, and the campaign from its file."""
        people = importing.read(self.simulator.importance_json())
        importing.import_list(self.db, self.built.importance(), people, now=self.now())
        names = [person.username for person in people.people.values()]
        start = self.now()
        campaign = Campaign(
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
            vips=tuple(names[:2]),
            ignores=tuple(names[2:3]),
        )
        lines = source.read(self.simulator.tweets_csv(), name="tweets.csv")
        client = open_client(self.built, self.db, self.provider, now=self.now)
        adding.add(self.db, campaign, lines, verifier=adding.Verifier(client), now=start)
        self.totals.update(requests=client.counts.requests, cost=int(client.counts.cost))

    def cycle(self, *, verify: bool = False) -> None:
        """Enqueue, work, alert."""
        enqueue(self.db, verify=verify, now=self.now())
        client = open_client(self.built, self.db, self.provider, now=self.now)
        done = Worker(work_context(self.built, self.db, client)).run()
        self.totals.update(
            requests=done.requests,
            cost=int(done.cost),
            jobs=done.completed + done.unchanged,
            failed=done.failed,
            engagements_new=done.engagements_new,
            snapshots=done.snapshots,
        )
        self._alert()

    def advance(self) -> None:
        """Let 30 minutes pass, and send what is due every five, as the crontab does."""
        for _ in range(CYCLE // ALERTS_EVERY):
            self.simulator.clock.advance(ALERTS_EVERY)
            self._alert()

    def send_rest(self) -> None:
        """Send the alerts that are due later."""
        while alert_queue.due_later(self.db, after=self.now())[0]:
            self.advance()

    def now(self) -> datetime:
        return self.simulator.clock.now()

    def _alert(self) -> None:
        context = replace(alert_context(self.built, self.db, now=self.now), sleep=lambda _: None)
        done = send_alerts(context)
        self.totals.update(planned=done.planned, sent=done.sent)

    def _result(self, truth: set[ItemKey], folder: Path) -> DemoResult:
        """Render the report, and compare what is stored with what is true."""
        site = Site(folder, report_options(self.built, Edition.OPERATOR), report_brand(self.built))
        pages = publish(self.db, campaigns.listed(self.db), site, now=self.now()).pages
        stored = list(engagements.stored_ids(self.db, present=True))
        lists = {kind.name: compare(truth, stored, action_type=kind.action_type) for kind in LISTS.values()}
        tweets = campaigns.count_tweets(self.db, SLUG)
        received = {"slack": len(self.simulator.slack.messages), "email": len(self.mailbox.messages)}
        all_received = sum(received.values()) == self.totals["sent"]
        return DemoResult(
            exact=all(row.exact for row in lists.values()) and not self.totals["failed"] and all_received,
            tweets=tweets,
            cycles=self.cycles,
            lists={str(name): row for name, row in lists.items()},
            removed=len(list(engagements.stored_ids(self.db, present=False))),
            jobs=self.totals["jobs"],
            snapshots=self.totals["snapshots"],
            requests=self.totals["requests"],
            requests_seen_by_provider=self.simulator.ledger.requests.total(),
            requests_without_gate=(self.cycles + 1) * tweets * (1 + len(LISTS)),
            cost=self.totals["cost"],
            usd=round(self.totals["cost"] * self.built.settings.provider.usd_per_credit, 2),
            alerts_planned=self.totals["planned"],
            alerts_sent=self.totals["sent"],
            alerts_received=received,
            pages=[str(path) for path in pages],
        )
