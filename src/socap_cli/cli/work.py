"""socap enqueue and socap work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import LOOK_FOR_IT, Bootstrap
from socap_cli.campaigns import register
from socap_cli.cli.live import Watch, watching
from socap_cli.cli.options import OnlyCampaign
from socap_cli.cli.run import INTERRUPTED, PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.enqueue import EnqueueResult
from socap_cli.enqueue import enqueue as enqueue_jobs
from socap_cli.errors import SocapError
from socap_cli.importance.rescoring import catch_up
from socap_cli.model import RunRecord
from socap_cli.store import campaigns, runs
from socap_cli.supervision import Supervisor, supervised
from socap_cli.work.worker import THREADS_PER_REQUEST, Worker, WorkerOptions

STOPPED_WITHIN = 3.6
"""Seconds after a signal."""


def enqueue(
    ctx: typer.Context,
    campaign: OnlyCampaign = "",
    verify: Annotated[bool, typer.Option("--verify", help="Ask for a full pass over every list.")] = False,
) -> None:
    """Arm the jobs of all active campaigns inside their window. Running it twice changes nothing."""
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now()
    with built.database() as db:
        only = register.find(db, campaign) if campaign else None
        done = enqueue_jobs(
            db,
            now=now,
            only=only,
            verify=verify,
            max_attempts=built.settings.worker.max_attempts,
            patience=built.settings.database.patience,
        )
        rescored = catch_up(db, built.firm(), built.rules(), now=now)
        result = {**asdict(done), "engagements_rescored": rescored.changed}
        warnings = [*result.pop("warnings")]
        if not campaigns.any_at_all(db):
            warnings.append(f"there is no campaign in {built.place}; if you have one, {LOOK_FOR_IT}")
        runs.record(db, RunRecord(run.run_id, "enqueue", now, 0.0, result))
    if only is not None and not done.campaigns and not done.campaigns_completed:
        warnings.append(f"{campaign} is {only.status.value} or outside its window: nothing armed")
    run.done(result, text=_enqueued(done), warnings=warnings, exit_code=PARTLY_DONE if done.warnings else 0)


def _enqueued(done: EnqueueResult) -> str:
    completed = f", {done.campaigns_completed} campaigns completed" if done.campaigns_completed else ""
    return (
        f"{done.campaigns} campaigns: {done.jobs_armed} jobs armed, {done.jobs_already_open} already open"
        + completed
    )


def work(
    ctx: typer.Context,
    concurrency: Annotated[
        int,
        typer.Option(
            min=0,
            help="Requests at a time in each process (default: pool_size × concurrency of the configuration).",
        ),
    ] = 0,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes on this host.")] = 1,
    max_runtime: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Stop claiming after this time.")
    ] = 0.0,
    wait: Annotated[bool, typer.Option("--wait", help="Stay when the queue is dry; work for ever.")] = False,
    progress: Annotated[
        str,
        typer.Option(metavar="auto|json", help="json: an object a second on stderr, for other programs."),
    ] = "auto",
) -> None:
    """Work the queue until it is dry. SIGTERM and Ctrl-C finish or give back what is running."""
    run: Run = ctx.obj
    built = bootstrap(run)
    built.key()
    limits = [("--concurrency", str(concurrency)), ("--max-runtime", str(max_runtime))]
    with watching(run, progress) as watch:
        if processes > 1:
            places = [("--config", str(run.config or "")), ("--data-dir", str(run.data_dir or ""))]
            places.append(("--log-format", run.log_format))
            options = [word for name, value in (*places, *limits) if value for word in (name, value)]
            options += ["-v"] * run.verbose
            crew = Supervisor([*supervised(), *options, *(["--wait"] if wait else [])], watch)
            done = crew.run(processes)
        else:
            options_here = _options(built, concurrency, max_runtime, wait=wait)
            done = _work_here(run, built, watch, options_here)
    _report(run, done, wait=wait)


def _options(built: Bootstrap, concurrency: int, max_runtime: float, *, wait: bool) -> WorkerOptions:
    """The command line over the configuration."""
    wanted = built.settings.worker
    return WorkerOptions(
        threads=THREADS_PER_REQUEST * (concurrency or wanted.max_in_flight),
        lease=wanted.lease,
        max_runtime=float("inf") if wait and not max_runtime else max_runtime or wanted.max_runtime,
        forever=wait,
    )


def _work_here(run: Run, built: Bootstrap, watch: Watch | None, options: WorkerOptions) -> dict[str, Any]:
    """Work the queue in this process, until it is dry or a signal comes."""
    stop = threading.Event()
    started = run.now()
    with built.database() as db, built.provider() as provider, _stopping(run, stop):
        in_flight = options.threads // THREADS_PER_REQUEST
        client = built.client(db, provider, now=run.now, stop=stop, max_in_flight=in_flight)
        worker = Worker(built.work_context(db, client), options, watch=watch)
        done = worker.run()
        record = RunRecord(run.run_id, "work", started, done.seconds, asdict(done))
        worker.context.until_available(partial(runs.record, db, record))
    return asdict(done)


def _report(run: Run, done: dict[str, Any], *, wait: bool) -> None:
    early = done["stopped"] and not wait  # a worker that works for ever is stopped by whoever runs it
    troubled = done["failed"] or done["over_budget"] or early
    run.done(
        done,
        text=(
            f"{done['completed']} jobs completed, {done['unchanged']} unchanged, {done['requeued']} requeued, "
            f"{done['failed']} failed in {done['seconds']:.1f} s: {done['engagements_new']} new engagements, "
            f"{done['snapshots']} snapshots, {done['requests']} requests"
        ),
        warnings=list(_warnings(done, early=early)),
        exit_code=PARTLY_DONE if troubled else 0,
    )


def _warnings(done: dict[str, Any], *, early: bool) -> Iterator[str]:
    if done["failed"]:
        yield f"{done['failed']} jobs failed; see: socap jobs list --status failed"
    if done["over_budget"]:
        yield f"{done['over_budget']} jobs were not worked, over budget; see: socap usage --by campaign"
    if done["rows_unreadable"]:
        yield f"{done['rows_unreadable']} rows of answers could not be read and were left out; see the log"
    if done.get("processes_restarted"):
        yield f"{done['processes_restarted']} workers died and were replaced"
    if early:
        why = f" (the last trouble: {done['last_error']})" if done["last_error"] else ""
        yield f"stopped before the queue was dry; the next run goes on{why}"


@contextmanager
def _stopping(run: Run, stop: threading.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks for a stop, a second SIGINT ends at once.

    What has not stopped in time, since the database does not answer, is left to the leases.
    """

    def give_up() -> None:
        gone = SocapError(
            "stopped while the database did not answer", hint="its leases run out by themselves"
        )
        os._exit(run.finish(gone))

    overdue = threading.Timer(STOPPED_WITHIN, give_up)
    overdue.daemon = True

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            if number == signal.SIGINT:
                os._exit(INTERRUPTED)
            return
        stop.set()
        overdue.start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        overdue.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
