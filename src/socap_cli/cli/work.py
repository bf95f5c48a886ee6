"""socap work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from socap_cli.bootstrap import Bootstrap, open_client, open_provider, work_context
from socap_cli.cli.options import one_of
from socap_cli.cli.output import STDERR
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap, one_line, stopping
from socap_cli.cli.tables import console
from socap_cli.errors import LockHeld, ProviderStop, SocapError, UsageError
from socap_cli.files import EXCLUSIVE, SHARED, locked
from socap_cli.model.queue import REFUSED, RunRecord
from socap_cli.store import usage
from socap_cli.text import counted, json_text
from socap_cli.work.context import Progress, WorkResult
from socap_cli.work.worker import THREADS_PER_REQUEST, Worker, WorkerOptions

LEFT_TO_LEASES = SocapError(
    "stopped while the database did not answer", hint="its leases run out by themselves"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    concurrency: int
    processes: int
    max_runtime: float
    wait: bool
    progress: str


LOOK_EVERY = 0.2


LINE_EVERY = 30.0
"""Seconds between two lines in a log: a run of a few seconds writes none."""


Watch = Callable[["Progress"], None]


CHOICES = ("join", "skip", "fail")


LOCK = "work.lock"
"""In the data folder. Whoever joins holds it too, shared, so that nobody is overlooked."""


IfRunning = Annotated[
    str,
    typer.Option(
        metavar="join|skip|fail",
        help="When another one works on this host: join it, skip this run (exit 0), or fail (exit 5).",
    ),
]


RESTARTS = 5
"""How often one worker that died is replaced; whatever kills it more often needs a person."""


INTERRUPTED = 130


KEPT = ("stopped", "last_error", "seconds")


SUMMED = tuple(entry.name for entry in fields(WorkResult) if entry.name not in KEPT)


@dataclass
class Supervisor:
    """Worker processes. One that dies is replaced; its jobs come back when their leases run out."""

    command: Sequence[str]
    watch: Callable[[Progress], None] | None
    restarted: int = 0
    _alive: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    _progress: dict[int, dict[str, Any]] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, count: int) -> dict[str, Any]:
        """Run so many workers to their ends and add up their results. Raises what a worker reported."""
        started = time.monotonic()
        with self._signals():
            answers = self._answers(count)
        failed = next((answer for answer in answers if answer["error"]), None)
        if failed:
            error = SocapError(failed["error"]["message"], hint=failed["error"]["hint"])
            error.exit_code = failed["exit_code"]
            raise error
        results = [answer["result"] for answer in answers]
        return {
            **{name: sum(result[name] for result in results) for name in SUMMED},
            "seconds": round(time.monotonic() - started, 3),
            "stopped": any(result["stopped"] for result in results),
            "last_error": next((r["last_error"] for r in results if r["last_error"]), None),
            "processes": count,
            "processes_restarted": self.restarted,
            "run_ids": [answer["run_id"] for answer in answers],
        }

    def _answers(self, count: int) -> list[dict[str, Any]]:
        answers: dict[int, dict[str, Any]] = {}
        watchers = [
            threading.Thread(target=self._keep, args=(number, answers), daemon=True)
            for number in range(count)
        ]
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            while watcher.is_alive():
                watcher.join(0.2)
                if self.watch and (progress := self._sum()):
                    self.watch(progress)
        return [answers[number] for number in sorted(answers)]

    def _keep(self, number: int, answers: dict[int, dict[str, Any]]) -> None:
        """Run one worker, and another in its place when it dies."""
        for attempt in range(RESTARTS + 1):
            try:
                worker = self._start(number)
            except OSError as error:
                answers[number] = _lost(f"a worker cannot be started: {error.strerror or error}")
                return
            answer, code = self._listen(number, worker)
            if answer is not None or self._stopping.is_set() or attempt == RESTARTS:
                answers[number] = answer or _lost(f"a worker died with code {code}")
                return
            self.restarted += 1

    def _start(self, number: int) -> subprocess.Popen[str]:
        # In a group of its own, so that a terminal's Ctrl-C reaches it once, by this process.
        worker = subprocess.Popen(  # noqa: S603  (it is this program)
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        )
        with self._lock:
            self._alive[number] = worker
            if self._stopping.is_set():  # a signal that came while it was being started
                worker.send_signal(signal.SIGTERM)
        return worker

    def _listen(self, number: int, worker: subprocess.Popen[str]) -> tuple[dict[str, Any] | None, int]:
        """Follow a worker to its end: (its answer, if it gave one; its exit code)."""
        assert worker.stdout is not None
        assert worker.stderr is not None
        threading.Thread(target=self._follow, args=(number, worker.stderr), daemon=True).start()
        answer = _last_json(worker.stdout.read())
        return answer, worker.wait()

    def _follow(self, number: int, stream: IO[str]) -> None:
        for line in stream:
            progress = _last_json(line)
            if progress is not None and "done" in progress:
                self._progress[number] = progress
            else:  # a line of its log
                sys.stderr.write(line)

    def _sum(self) -> Progress | None:
        latest = list(self._progress.values())
        if not latest:
            return None
        results = [one["done"] for one in latest]
        done: dict[str, Any] = {name: sum(result[name] for result in results) for name in SUMMED}
        done["seconds"] = max(result["seconds"] for result in results)
        done["last_error"] = next((r["last_error"] for r in results if r["last_error"]), None)
        kinds = latest[0]["by_kind"]
        return Progress(
            WorkResult(**done),
            {kind: sum(one["by_kind"][kind] for one in latest) for kind in kinds},
            running=sum(one["running"] for one in latest),
            left=min(one["left"] for one in latest),
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Pass SIGTERM and SIGINT on to the workers; a second SIGINT ends them and this process at once."""

        def forward(number: int, _frame: object) -> None:
            at_once = self._stopping.is_set() and number == signal.SIGINT
            self._stopping.set()
            for worker in list(self._alive.values()):
                worker.send_signal(signal.SIGKILL if at_once else number)
            if at_once:
                os._exit(INTERRUPTED)

        before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


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
            worker.context.until_available(partial(usage.record_run, db, refused))
            raise
        record = RunRecord(run.run_id, "work", started, done.seconds, asdict(done))
        worker.context.until_available(partial(usage.record_run, db, record))
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


@contextmanager
def watching(run: Run, form: str) -> Iterator[Watch | None]:
    """Yield what shows a run's progress; None when nobody wants to see it. `form` is auto or json."""
    if form not in ("auto", "json"):
        raise UsageError(f"no progress {form!r}", hint="there are auto and json")
    if form == "json":
        yield every(1.0, _tell_program, at_once=False)
    elif run.quiet or run.json:
        yield None
    elif sys.stderr.isatty():
        yield from _live()
    else:
        yield every(LINE_EVERY, lambda progress: run.info("; ".join(lines(progress))), at_once=False)


def _tell_program(progress: Progress) -> None:
    """An object on stderr. When nobody reads it any more, whoever started this run is gone: stop."""
    try:
        # Not through sys.stderr, where a reader that went away is no news.
        os.write(STDERR, json_text(progress).encode() + b"\n")
    except BrokenPipeError:
        signal.raise_signal(signal.SIGTERM)


def _live() -> Iterator[Watch]:

    spinner = Spinner("dots", "working")
    with Live(spinner, console=console(stderr=True), refresh_per_second=8, transient=True) as live:

        def show(progress: Progress) -> None:
            first, *more = lines(progress)
            spinner.update(text=Text(first))
            live.update(Group(spinner, *(Text(f"  {line}", style="dim") for line in more)))

        yield every(LOOK_EVERY, show)


def every(seconds: float, show: Watch, *, at_once: bool = True) -> Watch:
    """Show at most every so often."""
    next_at = time.monotonic() + (0.0 if at_once else seconds)

    def maybe(progress: Progress) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + seconds
            show(progress)

    return maybe


def lines(progress: Progress) -> list[str]:
    """A run's progress in words: the queue, the jobs ended of each kind, what was collected, the last trouble."""
    done = progress.done
    ended = done.completed + done.unchanged + done.failed + done.over_budget
    pace = f", {ended / done.seconds:,.0f} jobs/s" if done.seconds >= 1 else ""
    kinds = [f"{kind} {count:,}" for kind, count in progress.by_kind.items() if count]
    kinds += [f"unchanged {done.unchanged:,}"] if done.unchanged else []
    told = [
        f"{counted(ended, 'job')} ended, {progress.left:,} open, {progress.running} claimed{pace}",
        f"{counted(done.engagements_new, 'new engagement')}, {counted(done.requests, 'request')}, "
        f"{done.cost:,.0f} credits",
    ]
    told += [" · ".join(kinds)] if kinds else []
    told += [f"last trouble: {one_line(done.last_error)}"] if done.last_error else []
    return told


@contextmanager
def alone(data_dir: Path, choice: str) -> Iterator[bool]:
    """Hold the host's lock for the block; yield False when this run is to be skipped.

    Raises UsageError for an unknown choice, LockHeld when the choice is to fail, and SocapError when the data folder
    cannot hold a lock that is asked for.
    """
    kind = SHARED if one_of(choice, CHOICES, "--if-running") == "join" else EXCLUSIVE
    with ExitStack() as stack:
        holder = None
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            holder = stack.enter_context(locked(data_dir / LOCK, kind, patience=0.0))
        except OSError as error:
            if choice != "join":
                raise SocapError(
                    f"cannot lock {data_dir / LOCK}: {error.strerror}", hint="name a --data-dir that is yours"
                ) from error
        if holder and choice == "fail":
            raise LockHeld(
                f"another socap work of this host is at work ({holder})", hint="the next run goes on"
            )
        yield choice == "join" or holder is None


def supervised() -> list[str]:
    """The beginning of a worker's command line: it answers with one object, and reports progress as objects."""
    return [sys.executable, "-m", "socap_cli", "--json", "work", "--progress", "json"]


def _lost(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "hint": "its jobs go on in the next run"}, "exit_code": 1}


def _last_json(text: str) -> dict[str, Any] | None:
    """The object of the last line; None when there is none."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None
