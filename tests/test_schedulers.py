"""The examples for schedulers: each is read by what will read it, and each command line is one of the program's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command_lines import commands_in, complaint
from support.shifted_clock import ShiftedClock

from socap_cli.simulator.server import Simulator
from socap_cli.status import prometheus
from socap_cli.store import Db

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
UNITS = sorted((EXAMPLES / "systemd").glob("socap-*"))
WORKFLOWS = sorted((EXAMPLES / "n8n").glob("*.json"))
FIELD = r"(\*(/\d+)?|\d+(-\d+)?(,\d+(-\d+)?)*)"
ENTRY = re.compile(rf"((?:{FIELD}\s+){{5}})(.+)")
ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)")


# systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_has_no_complaint_about_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/socap/bin/socap", shutil.which("true") or "")
        (tmp_path / unit.name).write_text(text)
    names = [str(tmp_path / unit.name) for unit in UNITS if "@" not in unit.name]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *names], capture_output=True, text=True)
    about = [line for line in done.stderr.splitlines() if "socap" in line]
    assert (done.returncode, about) == (0, [])


def settings_of(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        name, mark, value = line.partition("=")
        if mark and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


SERVICES = [unit for unit in UNITS if unit.suffix == ".service" and "@" not in unit.name]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_types_commands_that_there_are(unit: Path) -> None:
    lines = [line for name in ("ExecStart", "ExecStop") for line in settings_of(unit).get(name, [])]
    quoted = [line.partition(" -c ")[2].strip("'") or line for line in lines]
    words = [found for line in quoted for found in commands_in(line)]
    assert words
    assert {" ".join(one): complaint(one) for one in words if complaint(one)} == {}


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_no_unit_but_the_servers_own_starts_the_database(unit: Path) -> None:
    settings = settings_of(unit)
    assert "SOCAP_DATABASE__AUTOSTART=false" in " ".join(settings["Environment"])
    assert ("db start" in settings["ExecStart"][0]) == (unit.name == "socap-db.service")
    if unit.name != "socap-db.service":
        assert settings["Requires"] == ["socap-db.service"]


def test_every_service_that_a_timer_starts_is_there() -> None:
    names = {unit.name for unit in UNITS}
    timers = {name for name in names if name.endswith(".timer")}
    assert len(timers) == 4
    assert {name.replace(".timer", ".service") for name in timers} <= names


# cron


def entries(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """A crontab as cron reads it: its variables, and (times, command) of each line."""
    variables: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if (entry := ENTRY.fullmatch(line)) is not None:
            found.append((entry[1].strip(), entry.groups()[-1]))
        else:
            assignment = ASSIGNMENT.fullmatch(line)
            assert assignment, line
            variables[assignment[1]] = assignment[2]
    return variables, found


CRONTAB = (ROOT / "crontab.example").read_text("utf-8")


def test_every_percent_sign_of_the_crontab_is_escaped_and_nothing_prints_on_success() -> None:
    variables, lines = entries(CRONTAB)
    assert variables["PATH"].startswith("/")
    assert not [line for _, line in lines if re.search(r"(?<!\\)%", line)]
    commands = [words for _, line in lines for words in commands_in(line.replace("\\%", "%"))]
    assert [words for words in commands if words[0] != "-qq"] == []
    assert {" ".join(words): complaint(words) for words in commands if complaint(words)} == {}


@pytest.fixture
def host(tmp_path: Path, db: Db, mongod: str, simulator: Simulator) -> dict[str, str]:
    """What the crontab expects of a machine, below a folder of its own: {path in the crontab: path here}."""
    for name in ("bin", "lib", "www", "etc"):
        (tmp_path / name).mkdir(parents=True)
    program = tmp_path / "bin" / "socap"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={os.pathsep.join(sys.path)!r} exec {sys.executable} -m socap_cli "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "etc" / "key").write_text("k")
    config = tmp_path / "etc" / "socap.toml"
    config.write_text(
        f"[database]\nuri = {mongod!r}\nname = {db.name!r}\n"
        f"[provider]\nurl = {simulator.url!r}\nrate = 0.0\ntimeout = 1.0\npatience = 1.0\n"
    )
    config.chmod(0o600)
    return {
        "/opt/socap/bin": str(tmp_path / "bin"),
        "/etc/socap/socap.toml": str(config),
        "/etc/socap/twitter-api-key": str(tmp_path / "etc" / "key"),
        "/var/lib/socap": str(tmp_path / "lib"),
        "/var/www/socap": str(tmp_path / "www"),
    }


def run_crontab(places: dict[str, str], **changed: str) -> list[tuple[int, str]]:
    """Every line as cron would run it: its exit code and everything that it printed, which cron would mail."""
    text = CRONTAB
    for path, here in places.items():
        text = text.replace(path, here)
    variables, lines = entries(text)
    bare = {"HOME": places["/var/lib/socap"], "LOGNAME": "socap", **variables, **changed}
    done = []
    for _, line in lines:
        ran = subprocess.run(
            [variables["SHELL"], "-c", line.replace("\\%", "%")],
            env=bare, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
            cwd=places["/var/lib/socap"],
        )  # fmt: skip
        done.append((ran.returncode, ran.stdout))
    return done


def add_campaign(places: dict[str, str], simulator: Simulator) -> None:
    tweets = Path(places["/var/lib/socap"]) / "tweets.csv"
    tweets.write_text(simulator.tweets_csv())
    program = f"{places['/opt/socap/bin']}/socap"
    command = [program, "-q", "campaign", "add", "launch", "--from", str(tweets), "--days", "7"]
    environment = {
        **os.environ,
        "SOCAP_CONFIG": places["/etc/socap/socap.toml"],
        "TWITTER_API_KEY": "k",
        "SOCAP_DATA_DIR": places["/var/lib/socap"],
    }
    subprocess.run(command, env=environment, check=True)


def test_each_line_of_the_crontab_runs_on_a_new_host_and_a_healthy_day_mails_nothing(
    host: dict[str, str], simulator: Simulator, db: Db
) -> None:
    add_campaign(host, simulator)
    assert run_crontab(host) == [(0, "")] * 5
    assert db.engagements.count_documents({}) > 15
    assert list(Path(host["/var/www/socap"]).rglob("launch.html"))
    assert len(list((Path(host["/var/lib/socap"]) / "backups").iterdir())) == 1


def test_a_user_without_a_home_gets_pages_without_a_word_and_keeps_the_list_of_fonts_with_the_data(
    host: dict[str, str], simulator: Simulator, db: Db
) -> None:
    nowhere = host["/etc/socap/socap.toml"]  # a file: no folder can be made below it
    add_campaign(host, simulator)
    run_crontab(host, HOME=nowhere)
    for one in list(db.metric_snapshots.find()):
        earlier = one["captured_at"] - timedelta(hours=1)
        db.metric_snapshots.insert_one({**one, "_id": f"{one['_id']}:earlier", "captured_at": earlier})
    simulator.clock.advance(timedelta(minutes=30))
    assert run_crontab(host, HOME=nowhere) == [(0, "")] * 5
    drawn = Path(host["/var/www/socap"]) / "views.png"
    words = [f"{host['/opt/socap/bin']}/socap", "-q", "metrics", "series", "launch", "--png", str(drawn)]
    bare = {
        "HOME": nowhere,
        "SOCAP_CONFIG": host["/etc/socap/socap.toml"],
        "SOCAP_DATA_DIR": host["/var/lib/socap"],
    }
    subprocess.run(words, env=bare, check=True, timeout=120)
    assert drawn.is_file()
    assert list((Path(host["/var/lib/socap"]) / "matplotlib").glob("fontlist*.json"))


def test_a_host_whose_clock_is_ahead_hides_no_run_that_is_missed(
    host: dict[str, str], simulator: Simulator, db: Db, tmp_path: Path
) -> None:
    add_campaign(host, simulator)
    clock = ShiftedClock(tmp_path)
    clock.shift(7200)
    run_crontab(host, **clock.environment)
    started = {one["command"]: one["started_at"] for one in db.runs.find()}
    assert {"enqueue", "work"} <= set(started)
    assert max(started.values()) < datetime.now(UTC)


def test_an_outage_of_the_provider_is_told_by_the_cycle_and_by_the_morning_line_alone(
    host: dict[str, str], simulator: Simulator
) -> None:
    add_campaign(host, simulator)
    simulator.faults.update({"errors": 1.0})
    (cycle, told), *others = run_crontab(host)
    assert cycle == 7
    assert told.count("\n") == 1
    assert told.startswith("error: ")
    assert "has not answered" in told
    (pages, alerts, (morning, state), backup) = others
    assert [pages, alerts, backup] == [(0, "")] * 3
    assert morning == 1
    assert "has not answered since" in state


# n8n


def test_the_workflows_are_what_their_tool_writes() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "n8n_workflows.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_every_stage_and_every_way_through_it_ends_in_words(path: Path) -> None:
    workflow: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert (len(workflow["id"]), workflow["active"], workflow["settings"]) == (
        16,
        False,
        {"executionOrder": "v1"},
    )
    nodes = {node["name"]: node for node in workflow["nodes"]}
    assert len(nodes) == len(workflow["nodes"])
    targets = {
        source: [{link["node"] for link in output} for output in found["main"]]
        for source, found in workflow["connections"].items()
    }
    assert {name for outputs in targets.values() for output in outputs for name in output} | set(
        targets
    ) == set(nodes)
    commands = [
        node["parameters"]["command"] for node in workflow["nodes"] if "command" in node["parameters"]
    ]
    words = [found for command in commands for found in commands_in(command)]
    assert [one[2] for one in words] == ["enqueue", "work", "alerts", "report", "alerts"]
    assert {" ".join(one): complaint(one) for one in words if complaint(one)} == {}
    assert all(one[:2] == ["--json", "--exit-zero"] for one in words)
    asked = [name for name in nodes if name.endswith("ok?")]
    assert len(asked) == 4
    (interval,) = nodes["every 2 minutes"]["parameters"]["rule"]["interval"]
    assert interval == {"field": "minutes", "minutesInterval": 2}
    assert targets["every 2 minutes"] == [{"send due alerts"}]
    assert targets["due alerts sent?"] == [set(), {"alerts failed"}]
    assert all(
        "stage failed" in targets[name][1] and "notify of a failure" in targets[name][1] for name in asked
    )
    running = [node for node in workflow["nodes"] if "command" in node["parameters"]]
    assert {node["onError"] for node in running} == {"continueRegularOutput"}


PARSER = """
const run = new Function("$input", process.argv[1]);
const item = JSON.parse(process.argv[2]);
console.log(JSON.stringify(run({first: () => ({json: item})})));
"""
ANSWER = '{"ok":true,"partial":false,"exit_code":0,"warnings":[],"error":null}'


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node to run the workflows' JavaScript")
@pytest.mark.parametrize(
    ("item", "ok", "said"),
    [
        ({"stdout": ANSWER}, True, None),
        ({"stdout": f"started the embedded database\n{ANSWER}\n", "code": 0}, True, None),
        ({"stdout": "", "stderr": "", "code": 137}, False, "no JSON on stdout: killed?"),
        ({"stdout": "", "stderr": "sh: socap: not found", "code": 127}, False, "sh: socap: not found"),
        ({"error": {"message": "Command failed: socap"}}, False, "Command failed: socap"),
        ({"error": "connect ECONNREFUSED"}, False, "connect ECONNREFUSED"),
        ({"stdout": "Traceback (most recent call last)"}, False, "no JSON on stdout: killed?"),
        ({}, False, "no JSON on stdout: killed?"),
    ],
)
def test_whatever_comes_from_the_node_is_parsed_into_an_answer(
    item: dict[str, Any], ok: bool, said: str | None
) -> None:
    workflow = json.loads(WORKFLOWS[0].read_text("utf-8"))
    code = next(n["parameters"]["jsCode"] for n in workflow["nodes"] if n["name"] == "parse work")
    done = subprocess.run(
        ["node", "-e", PARSER, code, json.dumps(item)], capture_output=True, text=True, check=True
    )
    (answer,) = json.loads(done.stdout)
    assert answer["json"]["ok"] is ok
    assert answer["json"]["stage"] == "work"
    assert (answer["json"]["error"] or {}).get("message") == said


# containers


def test_the_compose_file_names_what_there_is() -> None:
    folder = EXAMPLES / "containers"
    tree = yaml.safe_load((folder / "compose.yaml").read_text("utf-8"))
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", (folder / "Dockerfile").read_text("utf-8"), re.MULTILINE))
    assert set(tree["services"]) == {"mongo", "socap", "cron", "ssh", "pages"}
    for service in tree["services"].values():
        build = service.get("build")
        assert build is None or build["target"] in stages
        assert build is None or (folder / build["context"] / build["dockerfile"]).is_file()
        assert set(service.get("secrets", [])) <= set(tree["secrets"])
        named = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert {name for name in named if not name.startswith(".")} <= set(tree["volumes"])
    assert all("ports" not in tree["services"][name] for name in ("mongo", "ssh"))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("version", "built"), [("", "0.1.0"), ("v1.2.3", "1.2.3")])
def test_what_the_image_copies_is_in_the_repository_and_is_all_that_its_build_needs(
    tmp_path: Path, version: str, built: str
) -> None:
    for line in (EXAMPLES / "containers" / "Dockerfile").read_text("utf-8").splitlines():
        if line.startswith("COPY") and "--from" not in line:
            *sources, to = [word for word in line.split()[1:] if not word.startswith("--")]
            assert [name for name in sources if not (ROOT / name).exists()] == []
            for name in sources if to.startswith(".") else ():
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
                copy(ROOT / name, tmp_path / name)
    (tmp_path / "src" / "socap_cli" / "_version.py").unlink()
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    env = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION": version}
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.name == f"socap-{built}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as parts:
        assert {"socap_cli/_version.py", "socap_cli/config.example.toml"} <= set(parts.namelist())


def test_the_containers_crontab_types_commands_that_there_are() -> None:
    text = (EXAMPLES / "containers" / "crontab").read_text("utf-8")
    _, lines = entries(text)
    parts = [line.split(None, 1) for _, line in lines]
    assert {user for user, _ in parts} == {"socap"}
    words = [found for _, line in parts for found in commands_in(line)]
    assert len(words) == 5
    assert {" ".join(one): complaint(one) for one in words if complaint(one)} == {}


# Prometheus


def test_the_rules_name_metrics_that_are_written() -> None:
    rules = yaml.safe_load((EXAMPLES / "prometheus" / "socap-rules.yaml").read_text("utf-8"))
    asked = {name for rule in rules["groups"][0]["rules"] for name in re.findall(r"socap_\w+", rule["expr"])}
    written = set(re.findall(r'"(socap_\w+)"', Path(prometheus.__file__).read_text("utf-8")))
    assert asked
    assert asked <= written
