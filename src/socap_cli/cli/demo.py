"""socap demo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from socap_cli.cli import tables
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.demo.environment import CYCLE, environment
from socap_cli.demo.scenario import DemoResult, Scenario
from socap_cli.simulator.comparison import Comparison

COLUMNS = tuple(entry.name.replace("_", " ") for entry in fields(Comparison))


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
