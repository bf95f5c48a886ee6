"""socap doctor: what an operator would look at, and would not see otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.terminal import Cli

from socap_cli.settings import FILE_NAME
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db


def check(cli: Cli, name: str, *words: str, code: int = 0) -> tuple[str, str, str | None]:
    checks = cli("doctor", *words, code=code)["result"]["checks"]
    (found,) = (one for one in checks if one["check"] == name)
    return found["state"], found["message"], found["hint"]


@pytest.mark.parametrize(
    ("mode", "text", "state"),
    [
        (0o644, "[provider]\napi_key = 'hush'\n[worker]\nlease = 60\n", "warn"),
        (0o640, "[alerts]\nslack_webhook = 'https://hooks.slack.com/hush'\n", "warn"),
        (0o600, "[provider]\napi_key = 'hush'\n", "ok"),
        (0o644, "[worker]\nlease = 60\n", "ok"),
    ],
)
def test_a_configuration_with_secrets_that_others_can_read_is_named(
    cli: Cli, mode: int, text: str, state: str
) -> None:
    Path(FILE_NAME).write_text(text)
    Path(FILE_NAME).chmod(mode)
    found, said, hint = check(cli, "configuration", "--offline")
    assert found == state
    assert "hush" not in said
    assert hint == (f"chmod 600 {FILE_NAME}" if state == "warn" else None)


def test_a_folder_of_templates_that_is_not_there_is_missed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCAP_ALERTS__TEMPLATES", "nowhere")
    found, said, _ = check(cli, "templates", "--offline", code=1)
    assert (found, "no folder nowhere" in said) == ("fail", True)


def test_an_index_that_was_dropped_is_named_and_made_again_by_init(cli: Cli, db: Db) -> None:
    db.campaigns.drop_index("status_1")
    assert check(cli, "indexes", "--offline", code=1)[:2] == ("fail", "missing: campaigns.status_1")
    cli("init")
    assert check(cli, "indexes", "--offline")[0] == "ok"


def test_little_credit_is_warned_of_before_it_is_gone(cli: Cli, simulator: Simulator) -> None:
    simulator.faults.credits = 100.0
    state, said, _ = check(cli, "provider")
    assert (state, said) == ("warn", "100 credits left, less than the 5,000 that a day may take")
