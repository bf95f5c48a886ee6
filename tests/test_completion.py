"""What Tab offers: commands, options and the words that help lists."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from socap_cli.channels import CHANNELS
from socap_cli.cli.app import execute

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
        ("socap simulate --provider ", ["twitterapi", "x"]),
        ("socap engagements export x --format x", ["xlsx"]),
        ("socap campaign show 'open", []),
        ("socap campaign show la", []),
    ],
)
def test_words_are_offered(complete: Complete, line: str, offered: list[str]) -> None:
    assert complete(line) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(complete: Complete, shell: str) -> None:
    assert "resume" in " ".join(complete("socap campaign res", shell))
