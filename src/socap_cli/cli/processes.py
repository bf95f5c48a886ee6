"""Several worker processes on one host: each is `socap work` itself, minded by a thread, stopped together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import IO, Any

from socap_cli.cli.live import Watch
from socap_cli.cli.run import INTERRUPTED, Run
from socap_cli.errors import SocapError
from socap_cli.work.result import Progress, WorkResult

RESTARTS = 5
"""How often one worker that died is replaced; whatever kills it more often needs a person."""
KEPT = ("stopped", "last_error", "seconds")
SUMMED = tuple(entry.name for entry in fields(WorkResult) if entry.name not in KEPT)


def work_in_processes(run: Run, count: int, options: Sequence[str], watch: Watch | None) -> dict[str, Any]:
    """Run so many workers to their ends and add up their results. Raises what a worker told."""
    command = [sys.executable, "-m", "socap_cli", "--json"]
    for name, value in (("--config", run.config), ("--data-dir", run.data_dir)):
        command += [name, str(value)] if value else []
    crew = Crew([*command, "work", "--progress", "json", *options], watch)
    started = time.monotonic()
    with crew.signals():
        answers = crew.run(count)
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
        "processes_restarted": crew.restarted,
    }


@dataclass
class Crew:
    """Worker processes. One that dies is replaced; its jobs come back when their leases run out."""

    command: Sequence[str]
    watch: Watch | None
    restarted: int = 0
    _alive: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    _progress: dict[int, dict[str, Any]] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, count: int) -> list[dict[str, Any]]:
        """The answers of `count` workers, once all have ended."""
        answers: dict[int, dict[str, Any]] = {}
        minders = [threading.Thread(target=self._mind, args=(n, answers), daemon=True) for n in range(count)]
        for minder in minders:
            minder.start()
        for minder in minders:
            while minder.is_alive():
                minder.join(0.2)
                if self.watch and (progress := self._sum()):
                    self.watch(progress)
        return [answers[number] for number in sorted(answers)]

    def _mind(self, number: int, answers: dict[int, dict[str, Any]]) -> None:
        for attempt in range(RESTARTS + 1):
            with self._lock:
                # In a group of its own, so that a terminal's Ctrl-C reaches it once, by this process.
                worker = subprocess.Popen(  # noqa: S603  (it is this program)
                    self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
                )
                self._alive[number] = worker
            assert worker.stdout is not None
            assert worker.stderr is not None
            listener = threading.Thread(target=self._listen, args=(number, worker.stderr), daemon=True)
            listener.start()
            answer = _last_json(worker.stdout.read())
            code = worker.wait()
            if answer is not None:
                answers[number] = answer
                return
            if self._stopping.is_set() or attempt == RESTARTS:
                said = {
                    "message": f"a worker died with code {code}",
                    "hint": "its jobs go on in the next run",
                }
                answers[number] = {"error": said, "exit_code": 1}
                return
            self.restarted += 1

    def _listen(self, number: int, stream: IO[str]) -> None:
        for line in stream:
            if (progress := _last_json(line)) is not None:
                self._progress[number] = progress

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
    def signals(self) -> Iterator[None]:
        """Hand SIGTERM and SIGINT on to the workers; a second SIGINT ends them and this process at once."""

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


def _last_json(text: str) -> dict[str, Any] | None:
    """The object of the last line; None when there is none."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None
