"""socap simulate: the simulator, for experiments."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.error import URLError
from urllib.request import urlopen

import typer

from socap_cli.cli.options import moment
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.config import Provider as ProviderSettings
from socap_cli.errors import SocapError, UsageError
from socap_cli.simulator.comparison import compare, true_keys
from socap_cli.simulator.faults import Faults
from socap_cli.simulator.server import FORMATS, Simulator
from socap_cli.simulator.world import World
from socap_cli.store import engagement_view


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
        found = compare(true_keys(truth), engagement_view.stored_ids(db, present=True))
    text = (
        f"{found.stored:,} stored, {found.truth:,} true: {found.missing} missing, "
        f"{found.not_in_truth} no longer true, {found.twice} twice"
    )
    run.done(asdict(found), text=text, exit_code=0 if found.exact else 1)
