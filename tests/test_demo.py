"""`socap demo` as a newcomer runs it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.server


def test_the_demo_is_exact_and_leaves_nothing_running(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "MONGODB_URI": "mongodb://127.0.0.1:1/"}
    command = [
        sys.executable,
        "-m",
        "socap_cli",
        "demo",
        "--tweets",
        "20",
        "--cycles",
        "4",
        "--json",
        "--out",
        "out",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert result["exact"]
    assert result["requests"] == result["requests_seen_by_provider"]
    assert sum(result["alerts_received"].values()) == result["alerts_sent"] > 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"index.html", "launch.html", "launch.json"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("socap-demo-")] == []
    assert [line for line in running_commands() if str(tmp_path) in line] == []


def running_commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
