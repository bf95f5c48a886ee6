"""A launch, cycle by cycle, through the same stage functions as the commands, and what it added up to."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from socap_cli.alerts.send import send_alerts
from socap_cli.bootstrap.collecting import open_client, work_context
from socap_cli.bootstrap.reporting import report_brand, report_wanted
from socap_cli.bootstrap.telling import alert_context
from socap_cli.campaigns import adding, source
from socap_cli.campaigns.adding import Verifier
from socap_cli.demo.environment import CYCLE, Environment
from socap_cli.enqueue import Wanted, enqueue
from socap_cli.importance import reading
from socap_cli.importance.importing import import_list
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.kinds import LISTS
from socap_cli.report.publish import Site, publish
from socap_cli.report.values import Edition
from socap_cli.simulator.comparison import Comparison, compare, true_keys
from socap_cli.store import alert_view, campaigns, engagement_view
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
class Scenario:
    """The stages, one after the other."""

    environment: Environment
    cycles: int
    totals: Counter[str] = field(default_factory=Counter)

    def set_up(self) -> None:
        """Important people, the following index, and the campaign from its file."""
        here = self.environment
        listed = reading.read((here.files / "importance.json").read_text(encoding="utf-8"))
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
        while alert_view.next_time(self.environment.db, after=self.environment.now()):
            self.environment.advance(CYCLE)
            self._alert()

    def result(self, truth: dict[Any, Any], folder: Path) -> DemoResult:
        """Render the report, and compare what is stored with what is true."""
        here = self.environment
        price = here.built.settings.provider.usd_per_credit
        wanted = report_wanted(here.built, Edition.OPERATOR)
        found = campaigns.listed(here.db)
        pages = publish(here.db, found, Site(folder, wanted, report_brand(here.built)), now=here.now()).pages
        stored = list(engagement_view.stored_ids(here.db, present=True))
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
            removed=len(list(engagement_view.stored_ids(here.db, present=False))),
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
