"""Starting a command."""

from __future__ import annotations

import compileall
import statistics
import subprocess
import sys
from pathlib import Path

import socap_cli
from bench.measure import database, row, timed

ROUNDS = 11


def startup(uri: str) -> None:
    """Starting a command, beside the import that it cannot do without"""

    def median(*command: str) -> float:
        run = lambda: subprocess.run(command, capture_output=True, check=True)  # noqa: E731
        return statistics.median(timed(run) for _ in range(ROUNDS))

    compileall.compile_dir(Path(socap_cli.__file__).parent, quiet=1)  # as pip does when it installs
    python = sys.executable
    typer, pymongo = (median(python, "-c", f"import {name}") for name in ("typer", "pymongo"))
    version = median(python, "-m", "socap_cli", "--version")
    row("socap --version", f"{version / typer:.2f} ×", f"import typer ({typer * 1000:.0f} ms); aim 1.5")
    with database(uri) as db:
        script = (
            "import os,sys;os.environ.update(MONGODB_URI=sys.argv[1],SOCAP_DATABASE__NAME=sys.argv[2]);"
            "from socap_cli.cli.app import main;main(['enqueue'])"
        )
        empty = median(python, "-c", script, uri, db.name)
    row(
        "socap enqueue, empty database",
        f"{empty / pymongo:.2f} ×",
        f"import pymongo ({pymongo * 1000:.0f} ms); aim 2",
    )
