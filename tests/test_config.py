"""Configuration: the environment wins, and whatever is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from socap_cli.config import PLAN_NAMES, load
from socap_cli.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("socap.toml").write_text(
        '[worker]\nconcurrency = 7\npool_size = 2\n[alerts]\nemail_to = ["a@b.example"]\n'
    )
    monkeypatch.setenv("SOCAP_WORKER_CONCURRENCY", "3")
    monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", "hooks.slack.com, 127.0.0.1:9")
    settings = load()
    assert settings.worker.max_in_flight == 6
    assert settings.alerts.email_to == ("a@b.example",)
    assert settings.alerts.webhook_hosts == ("hooks.slack.com", "127.0.0.1:9")


@pytest.mark.parametrize(("name", "path"), PLAN_NAMES.items())
def test_the_plans_own_names_are_honoured_exactly(
    monkeypatch: pytest.MonkeyPatch, name: str, path: tuple[str, str]
) -> None:
    value = {
        "TWITTER_API_URL": "http://127.0.0.1:1",
        "MONGODB_URI": "mongodb://127.0.0.1:1/",
        "SOCAP_ALERT_SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x",
        "SOCAP_ALERT_EMAIL_SMTP": "smtp://u:p@127.0.0.1:25",
    }.get(name, "4")
    monkeypatch.setenv(name, value)
    section, key = path
    found = getattr(getattr(load(), section), key)
    assert str(found.get_secret_value() if hasattr(found, "get_secret_value") else found) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[worker]\nconcurrency = 'many'\n", "socap.toml: [worker] concurrency"),
        ("[worker]\nconcurrency = 0\n", "greater than or equal to 1"),
        ("[workers]\n", "socap.toml: workers: no such setting"),
        ("[alerts]\nthreshhold = 1\n", "[alerts] threshhold: no such setting"),
        ("[worker\n", "line 1"),
        ("[provider]\nurl = 'ftp://x'\n", "[provider] url"),
    ],
)
def test_a_wrong_key_is_named_with_its_file_and_section(text: str, said: str) -> None:
    Path("socap.toml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        load()
    assert said in raised.value.message


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCAP_WORKER__LEASE", "long")
    with pytest.raises(ConfigError, match="environment variable SOCAP_WORKER__LEASE"):
        load()


def test_secrets_are_not_shown() -> None:
    Path("socap.toml").write_text("[provider]\napi_key = 'hush'\n[alerts]\nslack_webhook = 'https://hush'\n")
    assert "hush" not in repr(load())


def test_the_example_holds_every_setting_with_its_default(tmp_path: Path) -> None:
    """With every comment sign before a setting taken away, it still loads, and changes nothing but secrets."""
    shown = EXAMPLE.read_text(encoding="utf-8")
    lines = [
        line.removeprefix("# ") if " = " in line and line.startswith("# ") else line
        for line in shown.splitlines()
    ]
    (tmp_path / "c.toml").write_text("\n".join(lines))
    plain, full = load(), load(tmp_path / "c.toml")
    assert full.worker == plain.worker
    assert full.collection == plain.collection
    assert full.report == plain.report
    for section in ("database", "provider", "alerts"):
        names = set(type(getattr(plain, section)).model_fields)
        assert {name for name in names if f"{name} = " not in shown} == set()


def test_a_tilde_is_the_home_folder() -> None:
    Path("socap.toml").write_text("data_dir = '~/elsewhere'\n")
    assert load().data_dir == Path.home() / "elsewhere"
