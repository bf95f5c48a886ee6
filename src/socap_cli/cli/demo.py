"""socap demo."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from socap_cli.cli import tables
from socap_cli.cli.options import moment
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run, bootstrap
from socap_cli.demo import CYCLE, DemoResult, Scenario, environment
from socap_cli.errors import SocapError, UsageError
from socap_cli.settings import Provider as ProviderSettings
from socap_cli.simulator.faults import Faults
from socap_cli.simulator.server import FORMATS, Simulator
from socap_cli.simulator.world import Comparison, World, compare, true_keys
from socap_cli.store import engagements as store_engagements

COLUMNS = tuple(entry.name.replace("_", " ") for entry in fields(Comparison))


class LimitPer(StrEnum):
    """What shares a rate limit."""

    ACCOUNT = "account"
    ENDPOINT = "endpoint"


Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]


Tweets = Annotated[int, typer.Option(min=1, help="Tweets of the world.")]


Provider = Annotated[str, typer.Option(metavar="|".join(FORMATS), help="Whose wire format to speak.")]


Seed = Annotated[int, typer.Option(help="The same seed makes the same world.")]


Engagements = Annotated[float, typer.Option(min=0, help="Engagements a tweet, on average.")]


Speed = Annotated[
    float,
    typer.Option(min=0, help="World seconds in a real one; 0 stands still until POST /sim/advance."),
]


Start = Annotated[str, typer.Option(metavar="ISO", help="The world's time at the start (default: now).")]


Key = Annotated[str, typer.Option(help="Accept only this API key (default: any).")]


PageSize = Annotated[int, typer.Option(min=1, help="Items on a page.")]


Latency = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long every answer takes (default: no time).",
        show_default=False,
    ),
]


Errors = Annotated[
    float,
    typer.Option(min=0, max=1, help="Part of the requests that fail (default: none).", show_default=False),
]


Rate = Annotated[
    float,
    typer.Option(min=0, help="Requests a second before 429 (default: no limit).", show_default=False),
]


SharedBy = Annotated[LimitPer, typer.Option("--limit-per", help="What shares the limit of --qps.")]


Files = Annotated[
    str, typer.Option(metavar="DIR", help="Write tweets.csv and importance.json of the world here.")
]


EndWithStdin = Annotated[bool, typer.Option("--end-with-stdin", hidden=True)]


Check = Annotated[
    bool, typer.Option("--check", help="Compare the database with a simulator that runs on --port.")
]


def demo(
    ctx: typer.Context,
    tweets: Annotated[int, typer.Option(min=1, help="Tweets in the campaign.")] = 300,
    cycles: Annotated[int, typer.Option(min=1, help="30-minute cycles; 96 are two days.")] = 96,
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder of the report.")] = "socap-demo",
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
) -> None:
    """Two simulated days of a launch: database, provider, webhook and mail server included, nothing left running.

    Example: socap demo --tweets 30 --cycles 4
    """
    run: Run = ctx.obj
    with (
        environment(tweets=tweets, cycles=cycles, seed=seed) as here,
        _progress(run, cycles + 1) as progress,
    ):
        scenario = Scenario(here, cycles)
        scenario.set_up()
        for number in range(cycles):
            scenario.cycle()
            progress(f"cycle {number + 1} of {cycles}, {scenario.totals['engagements_new']:,} engagements")
            here.advance(CYCLE)
        scenario.cycle(verify=True)
        progress("full pass over every list, report")
        truth = here.ask("/sim/truth")
        scenario.send_rest()
        result = scenario.result(truth, Path(out))
    run.done(asdict(result), text=lambda: _show(result), exit_code=0 if result.exact else 1)


@contextmanager
def _progress(run: Run, total: int) -> Iterator[Callable[[str], None]]:
    if run.quiet or run.json:
        yield lambda _text: None
        return
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=tables.console(stderr=True)) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda text: bar.update(task, advance=1, description=text)


def _show(result: DemoResult) -> None:
    rows = [[name, *astuple(row)] for name, row in result.lists.items()]
    rows.append(["all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))])
    title = f"{result.tweets} tweets, {result.cycles} cycles"
    tables.show(
        tables.Columns(("engagements", *COLUMNS), numbers=COLUMNS, drop=COLUMNS[::-1]), rows, title=title
    )
    saved = 1 - result.requests / result.requests_without_gate
    received = ", ".join(f"{count:,} by {name}" for name, count in result.alerts_received.items())
    tables.pairs(
        [
            ("taken back, and marked so", result.removed),
            ("requests", f"{result.requests:,} ({saved:.0%} fewer than reading everything)"),
            ("cost", f"{result.cost:,} credits = ${result.usd:.2f}"),
            ("alerts", f"{result.alerts_planned:,} planned; received {received}"),
            ("report", result.pages[-1]),
        ]
    )
    every = "Every engagement of the simulated world is in the database, once."
    print_line(f"\n{every if result.exact else 'NOT EXACT'}")


def simulate(
    ctx: typer.Context,
    port: Port = 8400,
    tweets: Tweets = 300,
    provider: Provider = "twitterapi",
    seed: Seed = 7,
    engagements: Engagements = 45.0,
    speed: Speed = 1.0,
    start: Start = "",
    key: Key = "",
    page: PageSize = 20,
    latency: Latency = 0.0,
    errors: Errors = 0.0,
    qps: Rate = 0.0,
    limit_per: SharedBy = LimitPer.ACCOUNT,
    files: Files = "",
    end_with_stdin: EndWithStdin = False,
    check: Check = False,
) -> None:
    """Serve a made-up world in a provider's wire format, on loopback, until Ctrl-C.

    Example: socap simulate --tweets 30 --speed 0
    """
    run: Run = ctx.obj
    if provider not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"the simulator does not speak {provider!r}", hint=f"--provider: one of {known}")
    if check:
        _check(run, port)
        return
    begin = moment(start, "--start") if start else datetime.now(UTC)
    world = World(seed=seed, tweets=tweets, start=begin, engagements=engagements)
    faults = Faults(latency=latency, errors=errors, qps=qps, limit_per=limit_per.value)
    simulator = Simulator(
        world,
        port=port,
        speed=speed,
        key=key or None,
        page=page,
        seed=seed,
        faults=faults,
        wire_format=provider,
    )
    if end_with_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    if files:
        _write_files(simulator, Path(files))
    _serve(run, simulator)


def _serve(run: Run, simulator: Simulator) -> None:
    """Say where it is, and serve until Ctrl-C."""
    url = simulator.url
    label = simulator.api.label
    named = "" if label == ProviderSettings().name else f" SOCAP_PROVIDER__NAME={label}"
    try:
        if not run.quiet:
            print_line(
                f"{len(simulator.world.tweets)} tweets at {url} ({label} format); Ctrl-C ends it\n"
                f"  export TWITTER_API_URL={url} TWITTER_API_KEY={simulator.key or 'any'}{named}\n"
                f"  {url}/sim/tweets.csv · /sim/truth · /sim/state\n"
                f"  POST {url}/sim/advance?minutes=30 · a Slack webhook: {url}/sim/slack"
            )
        simulator.serve_forever()
    except KeyboardInterrupt:
        run.info("ended")
    finally:
        simulator.close()


def _end_with_stdin() -> None:
    """End with whoever started this, however that ended."""
    sys.stdin.read()
    os._exit(0)


def _write_files(simulator: Simulator, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tweets.csv").write_text(simulator.tweets_csv(), encoding="utf-8")
        tree = {
            "important_people": simulator.world.important,
            "following_index": simulator.world.following_index,
        }
        (folder / "importance.json").write_text(json.dumps(tree), encoding="utf-8")
    except OSError as error:
        raise SocapError(f"cannot write to {folder}: {error.strerror}", hint="name another folder") from error


def _check(run: Run, port: int) -> None:
    """Compare what is stored with the truth of a running simulator; exit 1 when they differ."""

    try:
        with urlopen(f"http://127.0.0.1:{port}/sim/truth", timeout=10) as answer:
            truth = json.load(answer)
    except (URLError, OSError, ValueError) as error:
        raise SocapError(
            f"no simulator answers on port {port}: {error}", hint="start one: socap simulate"
        ) from error
    with bootstrap(run).database() as db:
        found = compare(true_keys(truth), store_engagements.stored_ids(db, present=True))
    text = (
        f"{found.stored:,} stored, {found.truth:,} true: {found.missing} missing, "
        f"{found.not_in_truth} no longer true, {found.twice} twice"
    )
    run.done(asdict(found), text=text, exit_code=0 if found.exact else 1)
