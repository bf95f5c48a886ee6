"""Several worker processes on one host: each is `socap work` itself, stopped together."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

from socap_cli.cli.run import Run
from socap_cli.errors import SocapError

SUMMED = (
    "completed", "unchanged", "requeued", "failed", "requests", "items", "cost", "engagements_new", "snapshots",
    "over_budget",
)  # fmt: skip


def work_in_processes(
    run: Run, extra: int, concurrency: int, max_runtime: float, wait: bool
) -> dict[str, Any]:
    """Run `extra` + 1 workers to their ends and add up their results. Raises what a worker told."""
    command = [sys.executable, "-m", "socap_cli", "--json", "work"]
    for name, value in (("--config", run.config), ("--data-dir", run.data_dir)):
        command += [name, str(value)] if value else []
    command += [
        "--concurrency",
        str(concurrency),
        "--max-runtime",
        str(max_runtime),
        *(["--wait"] if wait else []),
    ]
    started = time.monotonic()
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603
        for _ in range(extra + 1)
    ]

    def forward(number: int, _frame: object) -> None:
        for worker in workers:
            worker.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        answers = [_answer(worker) for worker in workers]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    failed = next((a["error"] for a in answers if a["error"]), None)
    if failed:
        raise SocapError(failed["message"], hint=failed["hint"])
    results = [answer["result"] for answer in answers]
    return {
        **{name: sum(result[name] for result in results) for name in SUMMED},
        "seconds": round(time.monotonic() - started, 3),
        "stopped": any(result["stopped"] for result in results),
        "last_error": next((r["last_error"] for r in results if r["last_error"]), None),
        "processes": len(workers),
    }


def _answer(worker: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = worker.communicate()
    try:
        answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {"error": {"message": f"a worker died with code {worker.returncode}", "hint": "run it again"}}
    return answer
