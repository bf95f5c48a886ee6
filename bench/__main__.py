"""Run benchmarks once and print their ratios: all of them, or those named."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.cadence import cadence, estimates
from bench.collection import bad_days, cost, cycles, large_cycle, memory, storage
from bench.long_list import long_list
from bench.page import page
from bench.queue import large_enqueue, queue
from bench.startup import startup
from socap_cli.store.embedded import Embedded

BENCHMARKS = (
    startup,
    queue,
    large_enqueue,
    cycles,
    large_cycle,
    long_list,
    memory,
    cost,
    bad_days,
    storage,
    cadence,
    estimates,
    page,
)


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="socap-bench-") as folder:
        embedded = Embedded(Path(folder))
        embedded.start()
        try:
            for bench in BENCHMARKS:
                if not names or bench.__name__ in names:
                    print(f"\n{(bench.__doc__ or '').splitlines()[0]}")
                    bench(embedded.uri)
        finally:
            embedded.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
