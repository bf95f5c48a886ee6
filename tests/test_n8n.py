"""The workflow for Execute Command in a real n8n: imported and executed. `make test-n8n` installs one and runs this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

N8N = os.environ.get("TEST_N8N", "")
WORKFLOW = Path(__file__).parent.parent / "examples" / "n8n" / "execute-command.json"
pytestmark = pytest.mark.skipif(not N8N, reason="needs n8n: make test-n8n")


@pytest.fixture
def config(tmp_path: Path, db: Db, mongod: str, simulator: Simulator) -> Path:
    """A configuration and a program where a scheduler would find them."""
    file = tmp_path / "socap.toml"
    hook, host = f"{simulator.url}/sim/slack", simulator.url.removeprefix("http://")
    file.write_text(
        f"data_dir = {str(tmp_path / 'data')!r}\n[database]\nuri = {mongod!r}\nname = {db.name!r}\n"
        f"[provider]\napi_key = 'k'\nurl = {simulator.url!r}\nrate = 0.0\ntimeout = 1.0\npatience = 1.0\n"
        f"[alerts]\nslack_webhook = {hook!r}\nwebhook_hosts = [{host!r}]\n"
        f"[report]\nout = {str(tmp_path / 'www')!r}\n"
    )
    program = tmp_path / "socap"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={os.pathsep.join(sys.path)!r} exec {sys.executable} -m socap_cli "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv())
    words = ["campaign", "add", "launch", "--from", str(tmp_path / "tweets.csv"), "--days", "7"]
    subprocess.run([program, "--config", file, "-q", *words], check=True)
    return file


def n8n(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One command of n8n, with its files below a folder of this test."""
    environment = {
        **os.environ,
        "N8N_USER_FOLDER": str(tmp_path / "n8n"),
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_RUNNERS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "NODES_EXCLUDE": "[]",
    }
    return subprocess.run(
        [N8N, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240
    )


def execute(tmp_path: Path, simulator: Simulator) -> str:
    """Import the workflow, with the paths and the address that a person would set, and run it; what n8n said."""
    text = WORKFLOW.read_text("utf-8")
    for there, here in (
        ("/etc/socap/socap.toml", str(tmp_path / "socap.toml")),
        ("/opt/socap/bin/socap", str(tmp_path / "socap")),
        ("https://hooks.slack.com/services/REPLACE/ME", f"{simulator.url}/sim/slack"),
    ):
        assert there in text
        text = text.replace(there, here)
    (tmp_path / "workflow.json").write_text(text)
    imported = n8n(tmp_path, "import:workflow", f"--input={tmp_path / 'workflow.json'}")
    assert imported.returncode == 0, imported.stderr
    done = n8n(tmp_path, "execute", f"--id={json.loads(text)['id']}", "--rawOutput")
    return done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_workflow_drives_every_stage_and_tells_somebody_when_one_fails(
    config: Path, tmp_path: Path, simulator: Simulator, db: Db
) -> None:
    said = execute(tmp_path, simulator)
    assert '"lastNodeExecuted":"done"' in "".join(said.split()), said[-3000:]
    assert db.engagements.count_documents({}) > 15
    assert (tmp_path / "www" / "launch.html").is_file()
    told = len(simulator.slack.messages)
    simulator.faults.update({"errors": 1.0})
    said = execute(tmp_path, simulator)
    assert "socap work failed, exit code 7" in said, said[-3000:]
    assert "work failed" in json.dumps([str(one) for one in simulator.slack.messages[told:]])
