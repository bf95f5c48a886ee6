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


def demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder), "MONGODB_URI": "mongodb://127.0.0.1:1/"}
    command = [sys.executable, "-m", "socap_cli", "demo", "--json", "--out", "out", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def test_the_demo_is_exact_and_leaves_nothing_running(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert result["exact"]
    assert (result["tweets"], result["cycles"]) == (30, 12)
    assert result["requests"] == result["requests_seen_by_provider"]
    assert sum(result["alerts_received"].values()) == result["alerts_sent"] > 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"index.html", "launch.html", "launch.json"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("socap-demo-")] == []
    assert [line for line in running_commands() if str(tmp_path) in line] == []


def test_a_kept_demo_can_be_looked_at_and_is_not_overwritten(tmp_path: Path) -> None:
    small = ("--tweets", "4", "--cycles", "1", "--keep")
    assert demo(tmp_path, *small).returncode == 0
    environment = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    for words, key in ((("campaign", "list"), "launch"), (("db", "stop"), "stopped")):
        command = [sys.executable, "-m", "socap_cli", "--data-dir", "out/data", *words, "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
        )
        assert (done.returncode, key in done.stdout) == (0, True), done.stdout + done.stderr
    again = demo(tmp_path, *small)
    assert again.returncode == 2
    assert "out/data exists" in again.stdout


def running_commands() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
