"""Several worker processes on one host: each is `socap work` itself, watched by a thread, stopped together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import IO, Any

from socap_cli.errors import SocapError
from socap_cli.work.result import Progress, WorkResult

RESTARTS = 5
"""How often one worker that died is replaced; whatever kills it more often needs a person."""
INTERRUPTED = 130
KEPT = ("stopped", "last_error", "seconds")
SUMMED = tuple(entry.name for entry in fields(WorkResult) if entry.name not in KEPT)


def supervised() -> list[str]:
    """The beginning of a worker's command line: it answers with one object, and reports progress as objects."""
    return [sys.executable, "-m", "socap_cli", "--json", "work", "--progress", "json"]


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


def _lost(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "hint": "its jobs go on in the next run"}, "exit_code": 1}


def _last_json(text: str) -> dict[str, Any] | None:
    """The object of the last line; None when there is none."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None
