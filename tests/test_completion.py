"""What Tab offers: commands, options, the words that help lists, campaigns; and nothing that fails, waits or writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.lab import START, campaign

from socap_cli.channels import CHANNELS
from socap_cli.cli.app import execute
from socap_cli.store import Db, campaigns

Complete = Callable[..., list[str]]


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """What a shell is offered for a line, its last word being typed; `shell` bash, zsh or fish."""

    def ask(line: str, shell: str = "bash") -> list[str]:
        monkeypatch.setenv("_SOCAP_COMPLETE", f"complete_{shell}")
        if shell == "bash":
            monkeypatch.setenv("COMP_WORDS", line)
            monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        else:
            monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
            monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        assert execute([]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return [word for word in out.splitlines() if word]

    return ask


@pytest.fixture
def launched(db: Db, mongod: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for slug in ("launch", "launch-2", "spring"):
        campaigns.insert(db, campaign(slug, at=START))
    monkeypatch.setenv("MONGODB_URI", mongod)
    monkeypatch.setenv("SOCAP_DATABASE__NAME", db.name)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("socap camp", ["campaign"]),
        ("socap campaign res", ["resume"]),
        ("socap db p", ["prune"]),
        ("socap metrics series x --gran", ["--granularity"]),
        ("socap jobs list --status p", ["pending", "processing"]),
        ("socap --json jobs list --status comp", ["completed"]),
        ("socap jobs list --json --status comp", ["completed"]),
        ("socap campaign list --status ", ["scheduled", "active", "paused", "completed"]),
        ("socap alerts list --status d", ["dead", "dropped"]),
        ("socap alerts test ", [*CHANNELS]),
        ("socap campaign add x --channel s", ["slack"]),
        ("socap usage --by ", ["campaign", "endpoint", "day"]),
        ("socap simulate --limit-per ", ["account", "endpoint"]),
        ("socap engagements export x --format x", ["xlsx"]),
        ("socap campaign show 'open", []),
    ],
)
def test_words_are_offered(complete: Complete, line: str, offered: list[str]) -> None:
    assert complete(line) == offered


@pytest.mark.usefixtures("launched")
@pytest.mark.parametrize(
    "line",
    [
        "socap campaign show la",
        "socap enqueue --campaign la",
        "socap report compare spring la",
        "socap report render la",
        "socap alerts silence la",
    ],
)
def test_campaigns_are_offered(complete: Complete, line: str) -> None:
    assert complete(line) == ["launch", "launch-2"]


@pytest.mark.usefixtures("launched")
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(complete: Complete, shell: str) -> None:
    assert "spring" in " ".join(complete("socap campaign show sp", shell))


@pytest.mark.parametrize(
    "uri", ["mongodb://127.0.0.1:1/", "mongodb://192.0.2.1:27017/", "nonsense", "mongodb+srv://nope.invalid/"]
)
def test_a_database_that_does_not_answer_has_nothing_to_offer_and_does_not_keep_anybody(
    complete: Complete,
    uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MONGODB_URI", uri)
    begin = time.monotonic()
    assert complete("socap campaign show ") == []
    assert time.monotonic() - begin < 10


def test_the_embedded_database_is_neither_made_nor_started(
    complete: Complete,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "data"
    monkeypatch.setenv("SOCAP_DATA_DIR", str(folder))
    assert complete("socap campaign show ") == []
    assert complete(f"socap --data-dir {folder}2 campaign show ") == []
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_configuration_that_cannot_be_read_is_nothing_to_tell_here(
    complete: Complete,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("socap.toml").write_text("[nonsense")
    assert complete("socap campaign show ") == []
