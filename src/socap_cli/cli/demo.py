"""socap demo: the whole story on a simulated provider, through the same stage functions as the commands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from socap_cli.cli.run import Run
from socap_cli.errors import SocapError

if TYPE_CHECKING:
    import httpx

    from socap_cli.alerts.send import Outlets
    from socap_cli.cli.shop import Shop
    from socap_cli.providers import TwitterApiIo
    from socap_cli.simulator.mailbox import Mailbox
    from socap_cli.store import Db

CYCLE = timedelta(minutes=30)
SLUG = "launch"


def demo(
    ctx: typer.Context,
    tweets: Annotated[int, typer.Option(min=1, help="Tweets in the campaign.")] = 300,
    cycles: Annotated[int, typer.Option(min=1, help="30-minute cycles; 96 are two days.")] = 96,
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder of the report.")] = "socap-demo",
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
) -> None:
    """Two simulated days of a launch: database, provider, webhook and mail server included, nothing left running."""
    run: Run = ctx.obj
    folder = Path(out)
    with ExitStack() as stack:
        stage = stack.enter_context(_stage(run, tweets=tweets, cycles=cycles, seed=seed))
        progress = stack.enter_context(_progress(run, cycles + 1))
        story = _Story(stage, cycles)
        story.set_up()
        for number in range(cycles):
            story.cycle()
            progress(f"cycle {number + 1} of {cycles}, {story.totals['engagements_new']:,} engagements")
            stage.advance(CYCLE)
        story.cycle(verify=True)
        progress("full reading of every list, report")
        truth = stage.ask("/sim/truth")
        story.flush_alerts()
        result = story.result(truth, folder)
    run.done(result, text=lambda: _show(result), exit_code=0 if result["exact"] else 1)


@dataclass
class _Stage:
    """Everything that the story plays on."""

    run: Run
    shop: Shop
    db: Db
    provider: TwitterApiIo
    client: httpx.Client
    mailbox: Mailbox
    outlets: Outlets
    files: Path
    start: datetime
    clock: datetime

    def now(self) -> datetime:
        return self.clock

    def ask(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def advance(self, step: timedelta) -> None:
        minutes = step.total_seconds() / 60
        self.client.post("/sim/advance", params={"minutes": minutes}).raise_for_status()
        self.clock += step


@contextmanager
def _stage(run: Run, *, tweets: int, cycles: int, seed: int) -> Iterator[_Stage]:
    import httpx
    from pydantic import SecretStr

    from socap_cli.alerts import mail
    from socap_cli.alerts.send import Outlets
    from socap_cli.cli.shop import Shop
    from socap_cli.config import Provider, Settings
    from socap_cli.simulator.mailbox import Mailbox

    now = datetime.now(UTC)
    start = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0) - CYCLE * cycles
    with ExitStack() as stack:
        scratch = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="socap-demo-", ignore_cleanup_errors=True))
        )
        url = stack.enter_context(_simulator(scratch, tweets=tweets, seed=seed, start=start))
        mailbox = stack.enter_context(Mailbox())
        # Nothing of the operator's own configuration reaches the demo, and the demo reaches nothing of it.
        settings = Settings(
            data_dir=scratch / "data",
            provider=Provider(api_key=SecretStr("demo"), url=url, rate=0),
        )
        shop = Shop(run, settings)
        stack.callback(shop.embedded().stop)
        host = url.removeprefix("http://")
        outlets = Outlets(
            slack_webhook=f"{url}/sim/slack",
            webhook_hosts=(host,),
            mail_server=mail.parse_server(mailbox.url),
            mail_from="alerts@agency.example",
            mail_to=("launch-team@agency.example",),
            slack_interval=0.0,
        )
        yield _Stage(
            run=run,
            shop=shop,
            db=stack.enter_context(shop.database()),
            provider=stack.enter_context(shop.provider()),
            client=stack.enter_context(httpx.Client(base_url=url, timeout=60)),
            mailbox=mailbox,
            outlets=outlets,
            files=scratch / "files",
            start=start,
            clock=start,
        )


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


@dataclass
class _Story:
    """The stages, one after the other, and what they added up to."""

    stage: _Stage
    cycles: int
    totals: Counter[str] = field(default_factory=Counter)

    def set_up(self) -> None:
        """Important people, the following index, and the campaign from its file."""
        import json

        from socap_cli.campaigns import register, source
        from socap_cli.model import Campaign, CampaignStatus, Channel
        from socap_cli.store import importance
        from socap_cli.work.look_up import look_up

        stage = self.stage
        tree = json.loads((stage.files / "importance.json").read_text(encoding="utf-8"))
        firm = stage.shop.firm()
        importance.put_people(stage.db, firm, tree["important_people"], now=stage.now())
        importance.put_index(stage.db, firm, tree["following_index"], now=stage.now())
        calls = stage.shop.desk(stage.db, stage.provider, now=stage.now).calls
        lines = source.read((stage.files / "tweets.csv").read_text(encoding="utf-8"), name="tweets.csv")
        people = [person["username"] for person in tree["important_people"]]
        campaign = Campaign(
            slug=SLUG,
            name="Launch week",
            status=CampaignStatus.ACTIVE,
            starts_at=stage.start,
            ends_at=stage.start + CYCLE * self.cycles,
            threshold=15.0,
            channels=(Channel.SLACK, Channel.EMAIL),
            spacing_minutes=20,
            frequency_window_minutes=30,
            created_at=stage.start,
            client_name="Example Labs",
            vips=tuple(people[:2]),
            ignores=tuple(people[2:3]),
        )
        register.add(
            stage.db, campaign, lines, look_up=lambda ids, slug: look_up(calls, ids, slug), now=stage.now()
        )
        self._count(calls.tally.requests, calls.tally.cost)

    def cycle(self, *, verify: bool = False) -> None:
        from socap_cli.enqueue import enqueue
        from socap_cli.work.pool import Pool

        stage = self.stage
        enqueue(stage.db, now=stage.now(), verify=verify)
        desk = stage.shop.desk(stage.db, stage.provider, now=stage.now, stop=threading.Event())
        done = Pool(desk).run()
        self._count(done.requests, done.cost)
        self.totals.update(
            jobs=done.completed + done.unchanged, failed=done.failed, engagements_new=done.engagements_new,
            snapshots=done.snapshots,
        )  # fmt: skip
        self.alerts()

    def alerts(self) -> None:
        from socap_cli.alerts.send import plan_new, send_due

        stage = self.stage
        planned = plan_new(stage.db, stage.shop.firm(), now=stage.now())
        done = send_due(stage.db, stage.outlets, now=stage.now(), planned=planned)
        self.totals.update(planned=planned, sent=done.sent, troubled=done.failed + done.dead + done.unknown)

    def flush_alerts(self) -> None:
        """Let the last alerts' times come."""
        from socap_cli.store import alerts

        while alerts.waiting(self.stage.db, now=self.stage.now()):
            self.stage.advance(CYCLE)
            self.alerts()

    def result(self, truth: dict[str, dict[str, list[str]]], folder: Path) -> dict[str, Any]:
        from socap_cli.report.gather import gather
        from socap_cli.report.render import render
        from socap_cli.store import campaigns, engagements

        stage = self.stage
        report = [gather(stage.db, campaign, top=500) for campaign in campaigns.listed(stage.db)]
        price = stage.shop.settings.provider.usd_per_credit
        pages = render(report, folder, usd_per_credit=price).pages
        stored = list(engagements.stored_ids(stage.db, present=True))
        tweets = campaigns.count_tweets(stage.db, SLUG)
        lists = {"retweets": "retweet", "replies": "reply", "quotes": "quote"}
        rows = {}
        for kind, action in lists.items():
            true = {(tweet, action, item) for tweet, found in truth.items() for item in found[kind]}
            have = [key for key in stored if key[1] == action]
            rows[kind] = {
                "truth": len(true),
                "collected": len(have),
                "missing": len(true - set(have)),
                "extra": len(set(have) - true),
                "twice": len(have) - len(set(have)),
            }
        ledger = stage.ask("/sim/state")["ledger"]
        asked = sum(ledger["requests"].values())
        received = {"slack": len(stage.ask("/sim/messages")["slack"]), "email": len(stage.mailbox.messages)}
        exact = all(not row[name] for row in rows.values() for name in ("missing", "extra", "twice"))
        exact = exact and not self.totals["failed"] and sum(received.values()) == self.totals["sent"]
        return {
            "exact": exact,
            "tweets": tweets,
            "cycles": self.cycles,
            "lists": rows,
            "removed": len(list(engagements.stored_ids(stage.db, present=False))),
            "jobs": self.totals["jobs"],
            "snapshots": self.totals["snapshots"],
            "requests": self.totals["requests"],
            "requests_seen_by_provider": asked,
            "requests_without_gate": (self.cycles + 1) * tweets * 4,
            "cost": self.totals["cost"],
            "usd": round(self.totals["cost"] * price, 2),
            "alerts_planned": self.totals["planned"],
            "alerts_sent": self.totals["sent"],
            "alerts_received": received,
            "pages": [str(path) for path in pages],
        }

    def _count(self, requests: int, cost: float) -> None:
        self.totals["requests"] += requests
        self.totals["cost"] += int(cost)


@contextmanager
def _progress(run: Run, total: int) -> Iterator[Any]:
    if run.quiet or run.json:
        yield lambda _text: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from socap_cli.cli.tables import console

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console(stderr=True)) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda text: bar.update(task, advance=1, description=text)


def _show(result: dict[str, Any]) -> None:
    from socap_cli.cli import tables

    columns = ("truth", "collected", "missing", "extra", "twice")
    rows = [[kind, *(row[c] for c in columns)] for kind, row in result["lists"].items()]
    rows.append(["all", *(sum(row[c] for row in result["lists"].values()) for c in columns)])
    tables.show(
        ("engagements", *columns),
        rows,
        numbers=columns,
        title=f"{result['tweets']} tweets, {result['cycles']} cycles",
    )
    received = result["alerts_received"]
    saved = 1 - result["requests"] / result["requests_without_gate"]
    tables.pairs(
        [
            ("taken back, and marked so", result["removed"]),
            ("requests", f"{result['requests']:,} ({saved:.0%} fewer than reading everything)"),
            ("cost", f"{result['cost']:,} credits = ${result['usd']:.2f}"),
            (
                "alerts",
                f"{result['alerts_planned']:,} planned; {received['slack']:,} in Slack, {received['email']:,} mails",
            ),
            ("report", result["pages"][-1]),
        ]
    )
    from socap_cli.cli.output import print_line

    verdict = (
        "Every engagement of the simulated world is in the database, once."
        if result["exact"]
        else "NOT EXACT"
    )
    print_line(f"\n{verdict}")
