"""The workflows in a real n8n: imported and executed. `make test-n8n` installs one and runs this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.ssh_server import SshServer, ssh_server

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

N8N = os.environ.get("TEST_N8N", "")
EXAMPLES = Path(__file__).parent.parent / "examples"
CREDENTIAL = "socapSshKey00001"
"""The workflows' name for the key."""
HOOK = "https://hooks.slack.com/services/REPLACE/ME"
LOGIN = "PasswordAuthentication no\nAllowUsers USER\nAuthorizedKeysFile KEYS\nStrictModes no\n"
pytestmark = pytest.mark.skipif(not N8N, reason="needs n8n: make test-n8n")


@dataclass(frozen=True)
class Installed:
    """Where the examples' places are on this machine."""

    folder: Path
    places: dict[str, str]

    def here(self, text: str, *names: str) -> str:
        """An example's text with these places, which have to stand in it, as they are here."""
        for name in names:
            assert name in text
            text = text.replace(name, self.places[name])
        return text


@pytest.fixture
def installed(tmp_path: Path, db: Db, mongod: str, simulator: Simulator) -> Installed:
    """A configuration, a key and a program where a scheduler would find them, and a campaign."""
    (tmp_path / "bin").mkdir()
    config, key, program = tmp_path / "socap.toml", tmp_path / "key", tmp_path / "bin" / "socap"
    places = {
        "/etc/socap/socap.toml": str(config),
        "/opt/socap/bin": str(program.parent),
        "/var/lib/socap": str(tmp_path / "data"),
        "/var/www/socap": str(tmp_path / "www"),
        "/srv/www": str(tmp_path / "www"),
        "/run/secrets/twitter_api_key": str(key),
        HOOK: f"{simulator.url}/sim/slack",
    }
    key.write_text("k")
    config.write_text(
        f"data_dir = {places['/var/lib/socap']!r}\n[database]\nuri = {mongod!r}\nname = {db.name!r}\n"
        f"[provider]\nurl = {simulator.url!r}\nrate = 0.0\ntimeout = 1.0\npatience = 1.0\n"
        f"[alerts]\nslack_webhook = {places[HOOK]!r}\nwebhook_hosts = [{simulator.url.removeprefix('http://')!r}]\n"
    )
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={os.pathsep.join(sys.path)!r} exec {sys.executable} -m socap_cli "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv())
    words = ["campaign", "add", "launch", "--from", str(tmp_path / "tweets.csv"), "--days", "7"]
    environment = {**os.environ, "TWITTER_API_KEY": "k"}
    subprocess.run([program, "--config", config, "-q", *words], check=True, env=environment)
    return Installed(tmp_path, places)


@pytest.fixture(scope="module")
def n8n_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("n8n")


def n8n(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One command of n8n, with its files below this folder."""
    environment = {
        **os.environ,
        "N8N_USER_FOLDER": str(home),
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_RUNNERS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "NODES_EXCLUDE": "[]",
    }
    return subprocess.run(
        [N8N, *words], env=environment, cwd=home, capture_output=True, text=True, timeout=240
    )


def bring_in(home: Path, kind: str, text: str) -> None:
    """Import a workflow, or credentials."""
    (home / f"{kind}.json").write_text(text)
    done = n8n(home, f"import:{kind}", f"--input={home / f'{kind}.json'}")
    assert done.returncode == 0, done.stdout + done.stderr


def let_in(home: Path, server: SshServer) -> None:
    """Give n8n the key, as the credential that the workflows name."""
    data = {"host": "127.0.0.1", "port": server.port, "username": server.user, "privateKey": server.key}
    one = {"id": CREDENTIAL, "name": "socap", "type": "sshPrivateKey", "data": data}
    bring_in(home, "credentials", json.dumps([one]))


def execute(home: Path, workflow: str) -> str:
    """Run an imported workflow; what n8n said."""
    done = n8n(home, "execute", f"--id={json.loads(workflow)['id']}", "--rawOutput")
    return done.stdout + done.stderr


def drive(home: Path, workflow: str, installed: Installed, simulator: Simulator, db: Db) -> None:
    """Import and run it while all is well, and while the provider is away."""
    bring_in(home, "workflow", workflow)
    said = execute(home, workflow)
    assert '"lastNodeExecuted":"done"' in "".join(said.split()), said[-3000:]
    assert db.engagements.count_documents({}) > 15
    assert list((installed.folder / "www").rglob("launch.html"))
    assert '"lastNodeExecuted":"duealertssent?"' in "".join(
        execute(home, two_minutes(home, workflow)).split()
    )
    simulator.faults.update({"errors": 1.0})
    assert "socap work failed, exit code 7" in told_of(home, workflow, simulator)


def two_minutes(home: Path, workflow: str) -> str:
    """Import a copy of the workflow that the command line starts at its 2-minute trigger; return it."""
    copy = json.loads(workflow)
    copy["id"], copy["name"] = "socapTwoMinutes0", "socap alerts"
    copy["nodes"] = [node for node in copy["nodes"] if node["name"] not in ("every half hour", "by hand")]
    for node in copy["nodes"]:
        if node["name"] == "every 2 minutes":
            node.update(type="n8n-nodes-base.manualTrigger", typeVersion=1, parameters={})
    for trigger in ("every half hour", "by hand"):
        del copy["connections"][trigger]
    bring_in(home, "workflow", json.dumps(copy))
    return json.dumps(copy)


def told_of(home: Path, workflow: str, simulator: Simulator) -> str:
    """Run it; what somebody was told, which is what the run failed with."""
    before = len(simulator.slack.messages)
    said = execute(home, workflow)
    told = json.dumps([str(one) for one in simulator.slack.messages[before:]])
    assert "failed, exit code" in said, said[-3000:]
    return told


def example(installed: Installed, name: str, *names: str) -> str:
    """A workflow with the places and the address that a person would set."""
    return installed.here((EXAMPLES / "n8n" / name).read_text("utf-8"), *names, HOOK)


@pytest.mark.timeout(600)
def test_by_execute_command_every_stage_runs_and_somebody_is_told_when_one_fails(
    installed: Installed, n8n_home: Path, simulator: Simulator, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWITTER_API_KEY", "k")
    places = ("/etc/socap/socap.toml", "/opt/socap/bin", "/var/www/socap")
    drive(n8n_home, example(installed, "execute-command.json", *places), installed, simulator, db)


@pytest.fixture
def key_in_the_configuration(installed: Installed) -> None:
    """A session by SSH sees no environment: the key stands in the file."""
    file = installed.folder / "socap.toml"
    file.write_text(file.read_text().replace("[provider]\n", "[provider]\napi_key = 'k'\n"))


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("key_in_the_configuration")
def test_by_ssh_every_stage_runs_and_somebody_is_told_when_one_fails_or_the_host_is_away(
    installed: Installed, n8n_home: Path, simulator: Simulator, db: Db
) -> None:
    places = ("/etc/socap/socap.toml", "/opt/socap/bin", "/var/www/socap")
    workflow = example(installed, "ssh.json", *places)
    with ssh_server(installed.folder / "ssh", LOGIN) as server:
        let_in(n8n_home, server)
        drive(n8n_home, workflow, installed, simulator, db)
    assert "socap enqueue failed" in told_of(n8n_home, workflow, simulator)


@pytest.fixture
def sidecar(installed: Installed) -> Iterator[SshServer]:
    """What the sidecar's container runs, with its own configuration: root's login is the tests' own matter."""
    text = (EXAMPLES / "containers" / "sshd_config").read_text("utf-8")
    text = text.replace("PermitRootLogin no", "").replace("AllowUsers socap", "AllowUsers USER")
    text = text.replace("/run/secrets/n8n_key", "KEYS")
    places = ("/etc/socap/socap.toml", "/opt/socap/bin", "/var/lib/socap", "/run/secrets/twitter_api_key")
    with ssh_server(installed.folder / "ssh", installed.here(text, *places)) as server:
        yield server


@pytest.mark.timeout(600)
def test_the_sidecars_session_has_all_that_its_workflow_needs(
    installed: Installed, n8n_home: Path, simulator: Simulator, db: Db, sidecar: SshServer
) -> None:
    let_in(n8n_home, sidecar)
    drive(n8n_home, example(installed, "sidecar.json", "/srv/www"), installed, simulator, db)
