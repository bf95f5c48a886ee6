"""socap work."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from os import _exit
from pathlib import Path
from typing import Annotated, Any

import typer
from filelock import FileLock, Timeout
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from socap_cli.bootstrap import Bootstrap, open_client, open_provider, work_context
from socap_cli.cli.options import choice, number, one_of
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap, one_line, stopping
from socap_cli.cli.tables import console
from socap_cli.errors import LockHeld, ProviderStop, SocapError
from socap_cli.model.queue import REFUSED, RunRecord
from socap_cli.store import usage
from socap_cli.text import counted
from socap_cli.work.context import WorkResult
from socap_cli.work.worker import THREADS_PER_REQUEST, Worker, WorkerOptions

CHOICES = ("join", "skip", "fail")
LOCK = "work.lock"
INTERRUPTED = 130
# From the best to the worst, for several processes. A process that a signal killed counts as failed.
SEVERITY = (0, 4, 6, 5, 7, 1, 2, 3)
SUMMED = [
    entry.name for entry in fields(WorkResult) if entry.name not in ("stopped", "last_error", "seconds")
]
LEFT_TO_LEASES = SocapError(
    "stopped while the database did not answer", hint="its leases run out by themselves"
)


def work(
    ctx: typer.Context,
    concurrency: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="NUMBER",
            show_default=False,
            help="Requests at a time in each process (default: pool_size × concurrency of the configuration).",
        ),
    ] = 0,
    processes: Annotated[
        int, typer.Option(min=1, max=64, metavar="NUMBER", help="Processes on this host.")
    ] = 1,
    max_runtime: Annotated[
        float,
        number(
            "SECONDS",
            "Stop claiming after this time (default: max_runtime of the configuration).",
            min=0,
            show_default=False,
        ),
    ] = 0.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for new jobs when the queue is empty, forever.")
    ] = False,
    if_running: Annotated[
        str,
        choice(
            "join|skip|fail",
            help="When another one is running on this host: join it, skip this run (exit 0), or fail (exit 5).",
        ),
    ] = "join",
) -> None:
    """Work the queue until it is empty. SIGTERM and Ctrl-C finish or give back what is running.

    Example: socap work --max-runtime 1500
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    built.key()
    with alone(built.settings.data_dir, if_running) as may_work:
        if not may_work:
            skipped = {**asdict(WorkResult()), "gave_way": True}
            run.done(skipped, text="skipped: another socap work is running on this host")
            return
        if processes > 1:
            done = _work_in_processes(run, processes, concurrency, max_runtime, wait=wait)
        else:
            done = _work_here(run, built, concurrency, max_runtime, wait=wait)
    early = done["stopped"] and not wait  # a worker that waits for jobs is stopped by whoever runs it
    run.done(
        done,
        text=worked_line(done),
        warnings=list(work_warnings(done, early=early)),
        exit_code=PARTLY_DONE if done["failed"] or done["over_budget"] or early else 0,
    )


@contextmanager
def alone(data_dir: Path, choice: str) -> Iterator[bool]:
    """Hold this host's lock for the block if it is free; yield False if this run is to be skipped.

    Raises UsageError for an unknown choice, LockHeld when the choice is to fail, and SocapError when the data folder
    cannot hold a lock that is needed.
    """
    joins = one_of(choice, CHOICES, "--if-running") == "join"
    lock = FileLock(data_dir / LOCK, timeout=0)
    may_work = True
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        if choice == "fail":
            raise LockHeld(
                "another socap work is running on this host", hint="the next run continues"
            ) from None
        may_work = joins
    except OSError as error:
        if not joins:
            raise SocapError(
                f"cannot lock {data_dir / LOCK}: {error.strerror or error}",
                hint="set a --data-dir of your own",
            ) from error
    try:
        yield may_work
    finally:
        lock.release()


def _work_here(
    run: Run, built: Bootstrap, concurrency: int, max_runtime: float, *, wait: bool
) -> dict[str, Any]:
    """Work the queue in this process, until it is empty or a signal comes."""
    settings = built.settings.worker
    in_flight = concurrency or settings.max_in_flight
    options = WorkerOptions(
        threads=THREADS_PER_REQUEST * in_flight,
        lease=settings.lease,
        max_runtime=float("inf") if wait and not max_runtime else max_runtime or settings.max_runtime,
        forever=wait,
    )
    stop = threading.Event()
    started = run.now()
    with (
        built.database() as db,
        open_provider(built) as provider,
        stopping(run, stop, LEFT_TO_LEASES),
        _progress(run) as watch,
    ):
        offset = built.clock_offset  # the server's clock decides about budgets and passes
        client = open_client(
            built, db, provider, now=lambda: run.now() + offset, stop=stop, max_in_flight=in_flight
        )
        worker = Worker(work_context(built, db, client), options, watch=watch)
        try:
            done = worker.run()
        except ProviderStop as error:
            seconds = (run.now() - started).total_seconds()
            refused = RunRecord(
                run.run_id, "work", started, seconds, {REFUSED: str(error), "hint": error.hint}
            )
            worker.context.until_available(partial(usage.record_run, db, refused))
            raise
        record = RunRecord(run.run_id, "work", started, done.seconds, asdict(done))
        worker.context.until_available(partial(usage.record_run, db, record))
    return asdict(done)


def _work_in_processes(
    run: Run, count: int, concurrency: int, max_runtime: float, *, wait: bool
) -> dict[str, Any]:
    """Start workers, forward signals to them, wait, and add up their results. Raises the worst one's error."""
    options = [("--config", run.config), ("--data-dir", run.data_dir), ("--log-format", run.log_format)]
    command = [
        *(sys.executable, "-m", "socap_cli", "--json"),
        *(word for name, value in options if value for word in (name, str(value))),
        *(["-qq"] if run.quiet > 1 else ["-v"] * run.verbose),
        *("work", "--concurrency", str(concurrency), "--max-runtime", str(max_runtime)),
        *(["--wait"] if wait else []),
    ]
    started = time.monotonic()
    workers: list[subprocess.Popen[str]] = []
    stopping = False

    def forward(number: int, _frame: object) -> None:
        nonlocal stopping
        at_once = stopping and number == signal.SIGINT
        stopping = True
        for worker in workers:
            worker.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
        if at_once:
            _exit(INTERRUPTED)

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for _ in range(count):
            # In a group of its own, so that a terminal's Ctrl-C reaches it once, through this process.
            workers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0))  # noqa: S603
            if stopping:  # the signal came while it was being started
                workers[-1].terminate()
        outputs = [worker.communicate()[0] for worker in workers]
        answers = [
            _answer(output, worker.returncode, stopping=stopping)
            for output, worker in zip(outputs, workers, strict=True)
        ]
    except OSError as error:
        for worker in workers:
            worker.terminate()
        raise SocapError(f"cannot start a worker process: {error.strerror or error}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    worst = max(answers, key=lambda answer: SEVERITY.index(answer["exit_code"]))
    if reported := worst["error"]:
        failure = SocapError(reported["message"], hint=reported["hint"])
        failure.exit_code = worst["exit_code"]
        raise failure
    results = [answer["result"] for answer in answers]
    return {
        **{name: sum(result[name] for result in results) for name in SUMMED},
        "seconds": round(time.monotonic() - started, 3),
        "stopped": any(result["stopped"] for result in results),
        "last_error": next((r["last_error"] for r in results if r["last_error"]), None),
        "processes": count,
        "run_ids": [answer["run_id"] for answer in answers if answer["run_id"]],
    }


def _answer(output: str, code: int, *, stopping: bool) -> dict[str, Any]:
    """The object that a worker printed; an error for one that died without."""
    if stopping and code == -signal.SIGTERM:  # the signal came while it was still starting
        return {"result": asdict(WorkResult(stopped=True)), "error": None, "exit_code": 0, "run_id": None}
    try:
        answer = json.loads(output.strip().splitlines()[-1])
        return {**answer, "exit_code": code if code in SEVERITY else 1}
    except (IndexError, ValueError, TypeError):
        how = f"was killed by signal {-code}" if code < 0 else f"died with exit code {code}"
        hint = "its jobs continue in the next run, when their leases have run out"
        return {"error": {"message": f"a worker process {how}", "hint": hint}, "exit_code": 1}


@contextmanager
def _progress(run: Run) -> Iterator[Callable[[WorkResult, int], None] | None]:
    """Show on a terminal how far the run has come; `left` are the jobs that are still open."""
    if run.quiet or run.json or not sys.stderr.isatty():
        yield None
        return
    columns = (
        SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("jobs"), TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )  # fmt: skip
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: WorkResult, left: int) -> None:
            ended = done.completed + done.unchanged + done.failed + done.over_budget
            bar.update(task, completed=ended, total=ended + left, description=progress_line(done))

        yield show


def progress_line(done: WorkResult) -> str:
    error = f", last error: {one_line(done.last_error)}" if done.last_error else ""
    return (
        f"{counted(done.engagements_new, 'new engagement')}, {counted(done.requests, 'request')}, "
        f"{done.cost:,.0f} credits{error}"
    )


def worked_line(done: Mapping[str, Any]) -> str:
    return (
        f"{counted(done['completed'], 'job')} completed, {done['unchanged']:,} unchanged, "
        f"{done['requeued']:,} requeued, {done['failed']:,} failed in {done['seconds']:.1f} s: "
        f"{counted(done['engagements_new'], 'new engagement')}, {counted(done['snapshots'], 'snapshot')}, "
        f"{counted(done['requests'], 'request')}"
    )


def work_warnings(done: Mapping[str, Any], *, early: bool) -> Iterator[str]:
    """What went wrong in a run, and where to look."""
    if done["failed"]:
        yield f"{counted(done['failed'], 'job')} failed; see: socap jobs list --status failed"
    if done["over_budget"]:
        yield f"{counted(done['over_budget'], 'job')} skipped, over budget; see: socap usage --by campaign"
    if done["rows_unreadable"]:
        yield f"{counted(done['rows_unreadable'], 'row')} of responses skipped: could not be parsed; see the log"
    if early:
        why = f" (last error: {done['last_error']})" if done["last_error"] else ""
        yield f"stopped before the queue was empty; the next run continues{why}"
