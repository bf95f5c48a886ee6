"""socap work."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_client, open_provider, work_context
from socap_cli.cli.alone import IfRunning, alone
from socap_cli.cli.live import Watch, watching
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.cli.stopping import stopping
from socap_cli.cli.wording import counted
from socap_cli.errors import ProviderStop, SocapError
from socap_cli.model.run import REFUSED, RunRecord
from socap_cli.report.keeping import keep_all
from socap_cli.store import runs
from socap_cli.supervision import Supervisor, supervised
from socap_cli.work.result import WorkResult
from socap_cli.work.worker import THREADS_PER_REQUEST, Worker, WorkerOptions

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
        typer.Option(
            min=0,
            metavar="SECONDS",
            show_default=False,
            help="Stop claiming after this time (default: max_runtime of the configuration).",
        ),
    ] = 0.0,
    wait: Annotated[bool, typer.Option("--wait", help="Stay when the queue is dry; work for ever.")] = False,
    progress: Annotated[
        str,
        typer.Option(metavar="auto|json", help="json: an object a second on stderr, for other programs."),
    ] = "auto",
    if_running: IfRunning = "join",
) -> None:
    """Work the queue until it is dry. SIGTERM and Ctrl-C finish or give back what is running.

    Example: socap work --max-runtime 1500
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    built.key()
    with alone(built.settings.data_dir, if_running) as free:
        if not free:
            run.done(_no_work(), text="another socap work of this host is at work: nothing done")
            return
        done = _work(run, built, Wanted(concurrency, processes, max_runtime, wait, progress))
    _report(run, done, wait=wait)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    concurrency: int
    processes: int
    max_runtime: float
    wait: bool
    progress: str


def _no_work() -> dict[str, Any]:
    """The result of a run that gave way."""
    nothing = WorkResult(
        completed=0, unchanged=0, requeued=0, failed=0, requests=0, items=0, cost=0.0, engagements_new=0,
        snapshots=0, seconds=0.0,
    )  # fmt: skip
    return {**asdict(nothing), "gave_way": True}


def _work(run: Run, built: Bootstrap, wanted: Wanted) -> dict[str, Any]:
    """Work in this process, or in several."""
    concurrency, max_runtime, wait = wanted.concurrency, wanted.max_runtime, wanted.wait
    with watching(run, wanted.progress) as watch:
        if wanted.processes > 1:
            given = [("--concurrency", str(concurrency)), ("--max-runtime", str(max_runtime))]
            words = [*_places(run), *(word for pair in given for word in pair), *(["--wait"] if wait else [])]
            return Supervisor([*supervised(), *words], watch).run(wanted.processes)
        options = _options(built, concurrency, max_runtime, wait=wait)
        return _work_here(run, built, watch, options)


def _places(run: Run) -> list[str]:
    """This run's global options, for a process of its own."""
    given = [("--config", run.config), ("--data-dir", run.data_dir), ("--log-format", run.log_format)]
    talk = ["-qq"] if run.quiet > 1 else ["-v"] * run.verbose
    return [*(word for name, value in given if value for word in (name, str(value))), *talk]


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
    with built.database() as db, open_provider(built) as provider, stopping(run, stop, LEFT_TO_LEASES):
        in_flight = options.threads // THREADS_PER_REQUEST
        client = open_client(built, db, provider, now=run.now, stop=stop, max_in_flight=in_flight)
        worker = Worker(work_context(built, db, client), options, watch=watch)
        try:
            done = worker.run()
        except ProviderStop as error:
            seconds = (run.now() - started).total_seconds()
            refused = RunRecord(
                run.run_id, "work", started, seconds, {REFUSED: str(error), "hint": error.hint}
            )
            worker.context.until_available(partial(runs.record, db, refused))
            raise
        record = RunRecord(run.run_id, "work", started, done.seconds, asdict(done))
        worker.context.until_available(partial(runs.record, db, record))
        if not done.stopped:
            keep_all(db, rows=built.settings.report.rows, now=run.now())
    return asdict(done)


def _report(run: Run, done: dict[str, Any], *, wait: bool) -> None:
    early = done["stopped"] and not wait  # a worker that works for ever is stopped by whoever runs it
    troubled = done["failed"] or done["over_budget"] or early
    run.done(
        done,
        text=worked_line(done),
        warnings=list(work_warnings(done, early=early)),
        exit_code=PARTLY_DONE if troubled else 0,
    )


def worked_line(done: Mapping[str, Any]) -> str:
    """What a run of the worker did, for a person."""
    return (
        f"{counted(done['completed'], 'job')} completed, {done['unchanged']:,} unchanged, "
        f"{done['requeued']:,} requeued, {done['failed']:,} failed in {done['seconds']:.1f} s: "
        f"{counted(done['engagements_new'], 'new engagement')}, {counted(done['snapshots'], 'snapshot')}, "
        f"{counted(done['requests'], 'request')}"
    )


def work_warnings(done: Mapping[str, Any], *, early: bool) -> Iterator[str]:
    """What went wrong in a run of the worker, and where to look."""
    if done["failed"]:
        yield f"{counted(done['failed'], 'job')} failed; see: socap jobs list --status failed"
    if done["over_budget"]:
        yield f"{counted(done['over_budget'], 'job')} not worked, over budget; see: socap usage --by campaign"
    if done["rows_unreadable"]:
        yield f"{counted(done['rows_unreadable'], 'row')} of answers could not be read: left out; see the log"
    if done.get("processes_restarted"):
        yield f"{counted(done['processes_restarted'], 'worker')} died; others were started instead"
    if early:
        why = f" (the last trouble: {done['last_error']})" if done["last_error"] else ""
        yield f"stopped before the queue was dry; the next run goes on{why}"
