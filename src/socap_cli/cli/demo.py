"""socap demo."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from socap_cli.cli import tables
from socap_cli.cli.options import choice, moment, number, one_of
from socap_cli.cli.run import Run, bootstrap, print_line
from socap_cli.demo import DemoResult, open_scenario
from socap_cli.errors import SocapError, UsageError
from socap_cli.settings import ProviderSettings
from socap_cli.simulator.faults import Faults
from socap_cli.simulator.server import FORMATS, Simulator
from socap_cli.simulator.world import Comparison, World, compare, true_keys
from socap_cli.store import engagements as store_engagements

COLUMNS = tuple(entry.name.replace("_", " ") for entry in fields(Comparison))


def demo(
    ctx: typer.Context,
    tweets: Annotated[int, typer.Option(min=1, help="Tweets in the campaign.")] = 30,
    cycles: Annotated[int, typer.Option(min=1, help="Cycles of 30 minutes; 96 are two days.")] = 12,
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder of the report.")] = "socap-demo",
    keep: Annotated[bool, typer.Option("--keep", help="Keep the database, in DIR/data.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
) -> None:
    """Run a launch on simulated servers: provider, database, webhook and mail, all stopped at the end.

    Example: socap demo --tweets 10 --cycles 4
    """
    run: Run = ctx.obj
    folder = Path(out)
    with ExitStack() as stack:
        data = folder / "data"
        if not keep:
            scratch = tempfile.TemporaryDirectory(prefix="socap-demo-", ignore_cleanup_errors=True)
            data = Path(stack.enter_context(scratch))
        elif data.exists():
            raise UsageError(f"{data} exists", hint="delete it, or name another folder with --out")
        scenario = stack.enter_context(open_scenario(data, tweets=tweets, cycles=cycles, seed=seed))
        result = scenario.run(folder, stack.enter_context(_progress(run, cycles + 1)))
    text = functools.partial(_show, result, data if keep else None)
    run.done(asdict(result), text=text, exit_code=0 if result.exact else 1)


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


def _show(result: DemoResult, data: Path | None) -> None:
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
            ("removed", result.removed),
            ("requests", f"{result.requests:,} ({saved:.0%} fewer than reading every list)"),
            ("cost", f"{result.cost:,} credits = ${result.usd:.2f}"),
            ("alerts", f"{result.alerts_planned:,} planned; messages received: {received}"),
            ("report", result.pages[-1]),
            *([("database", f"socap --data-dir {data} status")] if data else []),
        ]
    )
    exact = "Every engagement of the simulated world is in the database, once."
    print_line(f"\n{exact if result.exact else 'NOT EXACT: the database differs from the simulated world.'}")


def simulate(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8400,
    tweets: Annotated[int, typer.Option(min=1, help="Tweets of the world.")] = 300,
    provider: Annotated[str, choice("|".join(FORMATS), help="Whose wire format to serve.")] = "twitterapi",
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 7,
    engagements: Annotated[float, number("NUMBER", "Engagements per tweet, on average.", min=0)] = 45.0,
    speed: Annotated[
        float, number("NUMBER", "World seconds in a real one; 0: only POST /sim/advance moves it.", min=0)
    ] = 1.0,
    start: Annotated[
        str, typer.Option(metavar="ISO", help="The world's time at the start (default: now).")
    ] = "",
    key: Annotated[str, typer.Option(help="Accept only this API key (default: any).")] = "",
    page: Annotated[int, typer.Option(min=1, help="Items on a page.")] = 20,
    latency: Annotated[float, number("SECONDS", "Time that every answer takes.", min=0)] = 0.0,
    errors: Annotated[float, number("SHARE", "Share of the requests that fail.", min=0, max=1)] = 0.0,
    qps: Annotated[float, number("NUMBER", "Requests a second before 429; 0: no limit.", min=0)] = 0.0,
    files: Annotated[
        str, typer.Option(metavar="DIR", help="Write tweets.csv and importance.json of the world here.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Compare the database with a simulator that runs on --port.")
    ] = False,
) -> None:
    """Serve a made-up world in a provider's wire format, on loopback, until Ctrl-C.

    Example: socap simulate --tweets 30 --speed 0
    """
    run: Run = ctx.obj
    provider = one_of(provider, FORMATS, "wire format")
    if check:
        _check(run, port)
        return
    begin = moment(start, "--start") if start else datetime.now(UTC)
    simulator = Simulator(
        World(seed=seed, tweets=tweets, start=begin, engagements=engagements),
        port=port,
        speed=speed,
        key=key or None,
        page=page,
        seed=seed,
        faults=Faults(latency=latency, errors=errors, qps=qps),
        wire_format=provider,
    )
    if files:
        _write_files(simulator, Path(files))
    url, label = simulator.url, simulator.api.label
    named = "" if label == ProviderSettings().name else f" SOCAP_PROVIDER__NAME={label}"
    try:
        if not run.quiet:
            print_line(
                f"{len(simulator.world.tweets)} tweets at {url} ({label} format); Ctrl-C ends it\n"
                f"  export TWITTER_API_URL={url} TWITTER_API_KEY={simulator.key or 'any'}{named}\n"
                f"  {url}/sim/tweets.csv · /sim/truth · /sim/state · /sim/messages (what Slack got)\n"
                f"  POST {url}/sim/advance?minutes=30 · POST {url}/sim/faults · a Slack webhook: {url}/sim/slack"
            )
        simulator.serve_forever()
    except KeyboardInterrupt:
        run.info("ended")
    finally:
        simulator.close()


def _write_files(simulator: Simulator, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tweets.csv").write_text(simulator.tweets_csv(), encoding="utf-8")
        (folder / "importance.json").write_text(simulator.importance_json(), encoding="utf-8")
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
