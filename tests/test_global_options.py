"""Options that hold for every command, wherever they stand, and what is told when one of them is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from socap_cli.cli.app import execute
from socap_cli.cli.run import Run, split_global_options
from socap_cli.errors import MissingValue

SPLIT: list[tuple[str, str, dict[str, object]]] = [
    ("status", "status", {}),
    ("--json status", "status", {"json": True}),
    ("status --json", "status", {"json": True}),
    ("-q -v work", "work", {"quiet": True, "verbose": 1}),
    ("work -vv", "work", {"verbose": 2}),
    ("work -v --verbose -v", "work", {"verbose": 3}),
    ("--config a.toml status", "status", {"config": Path("a.toml")}),
    ("status --config=a.toml", "status", {"config": Path("a.toml")}),
    ("--log-format json work", "work", {"log_format": "json"}),
    ("--dry-run enqueue", "enqueue --dry-run", {}),
    ("--dry-run campaign delete x -- -y", "campaign delete x --dry-run -- -y", {}),
    ("campaign delete x --dry-run", "campaign delete x --dry-run", {}),
    ("campaign show -- --json", "campaign show -- --json", {"json": False}),
    ("--exit-zero work", "work", {"exit_zero": True}),
]


@pytest.mark.parametrize(("line", "rest", "changes"), SPLIT, ids=[case[0] for case in SPLIT])
def test_a_global_option_is_heeded_wherever_it_stands(
    line: str, rest: str, changes: dict[str, object]
) -> None:
    run = Run()
    assert split_global_options(run, line.split()) == rest.split()
    plain = {
        "json": False,
        "quiet": False,
        "verbose": 0,
        "config": None,
        "log_format": "text",
        "exit_zero": False,
    }
    assert {name: getattr(run, name) for name in plain} == plain | changes


@pytest.mark.parametrize(
    "line", ["--config", "--config=", "--config --json", "--data-dir --config=x", "--log-format -q"]
)
def test_a_global_option_is_no_other_ones_value(line: str) -> None:
    with pytest.raises(MissingValue):
        split_global_options(Run(), line.split())


WRONG = [
    ("engagements list x --offset --json", "MissingValue|UsageError", "--offset"),
    ("--config --json status", "MissingValue", "--config"),
    ("--config= status --json", "MissingValue", "--config"),
    ("status --data-dir --json", "MissingValue", "--data-dir"),
    ("status --log-format --json", "MissingValue", "--log-format"),
    ("--log-format xml status --json", "UsageError", "xml"),
    ("enqueue --campaign --json", "UsageError", "--campaign"),
    ("work --concurrency --json", "UsageError", "--concurrency"),
    ("frobnicate --json", "UsageError", "frobnicate"),
    ("--json", "UsageError", "command"),
    ("status --dry-run --json", "UsageError", "--dry-run"),
    ("--dry-run status --json", "UsageError", "--dry-run"),
    ("campaign show caf\udce9 --json", "UsageError", "UTF-8"),
    ("--json --config \udcff status", "UsageError", "UTF-8"),
]


@pytest.mark.parametrize(("line", "kind", "said"), WRONG, ids=[ascii(case[0]) for case in WRONG])
def test_a_wrong_line_is_told_once_in_the_form_that_is_asked_for(
    line: str, kind: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(line.split()) == 2
    out, err = capsys.readouterr()
    answer = json.loads(out.splitlines()[-1])
    assert (answer["ok"], answer["exit_code"], err) == (False, 2, "")
    assert answer["error"]["type"] in kind.split("|")
    assert said in answer["error"]["message"]

    assert execute([word for word in line.split() if word != "--json"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
