"""Everything that the demo needs, started for it alone: provider, database, webhook, mail server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_provider
from socap_cli.config import Alerts, Provider, Settings
from socap_cli.errors import SocapError
from socap_cli.providers import Provider as DataProvider
from socap_cli.simulator.mailbox import Mailbox
from socap_cli.store import Db

CYCLE = timedelta(minutes=30)


@dataclass
class Environment:
    """The parts, and the scenario's clock."""

    built: Bootstrap
    db: Db
    provider: DataProvider
    simulator: httpx.Client
    mailbox: Mailbox
    files: Path
    start: datetime
    clock: datetime

    def now(self) -> datetime:
        """The scenario's time."""
        return self.clock

    def ask(self, path: str) -> Any:
        """What the simulator tells."""
        return self.simulator.get(path).raise_for_status().json()

    def advance(self, step: timedelta) -> None:
        """Let time go by, for the scenario and for the simulator."""
        minutes = step.total_seconds() / 60
        self.simulator.post("/sim/advance", params={"minutes": minutes}).raise_for_status()
        self.clock += step


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
            simulator=stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False)),
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
