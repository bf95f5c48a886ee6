"""socap doctor: what an operator would look at, and would not see otherwise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.errors import OperationFailure
from support.terminal import Cli

from socap_cli.errors import DatabaseRefused, StoreError
from socap_cli.settings import FILE_NAME, load
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db, translate_error
from socap_cli.store.connect import check_features


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


@pytest.mark.parametrize(
    ("uri", "name", "used"),
    [
        ("mongodb://host/production", "", "production"),
        ("mongodb+srv://user:p%2Fw@cluster.example/acme?retryWrites=true", "", "acme"),
        ("mongodb://a:1,b:2/?replicaSet=rs", "", "socap"),
        ("mongodb://host", "", "socap"),
        ("mongodb://host/production", "staging", "staging"),
        ("mongodb://host/production", "socap", "socap"),
    ],
)
def test_the_database_that_the_uri_names_is_used_unless_the_setting_names_one(
    monkeypatch: pytest.MonkeyPatch, uri: str, name: str, used: str
) -> None:
    monkeypatch.setenv("MONGODB_URI", uri)
    if name:
        monkeypatch.setenv("SOCAP_DATABASE__NAME", name)
    assert load(None).settings.database.name == used


@pytest.mark.parametrize(
    ("said", "code", "message", "hint"),
    [
        (
            'not authorized on acme to execute command { insert: "jobs", ordered: true }', 13,
            "the user of MONGODB_URI is not allowed to run insert on the database acme",
            "grant it the role readWrite on the database acme",
        ),
        (
            'not authorized on acme to execute command { insert: "x", bypassDocumentValidation: true }', 13,
            "the user of MONGODB_URI is not allowed to run insert on the database acme",
            "grant it the role dbAdmin on the database acme",
        ),
        (
            "Authentication failed.", 18, "the database refused this user: Authentication failed.",
            "check user, password and authSource in MONGODB_URI",
        ),
    ],
)  # fmt: skip
def test_a_user_who_may_not_is_told_the_role_that_is_missing(
    said: str, code: int, message: str, hint: str
) -> None:
    error = translate_error(OperationFailure(said, code))
    assert isinstance(error, DatabaseRefused)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("call", "feature"), [("find_one", "collation"), ("update_one", "updates with a pipeline")]
)
def test_a_server_that_lacks_a_feature_is_refused_with_its_name(call: str, feature: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OperationFailure("currently not supported", 303)

    calls: dict[str, Any] = {
        "find_one": lambda *_, **__: None,
        "update_one": lambda *_, **__: None,
        call: refuse,
    }
    imitation: Any = SimpleNamespace(locks=SimpleNamespace(**calls))
    with pytest.raises(StoreError, match=f"lacks a feature that socap needs: {feature}") as raised:
        check_features(imitation)
    assert "MongoDB 5.0 or newer" in (raised.value.hint or "")
