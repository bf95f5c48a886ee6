"""Commands, typed in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from socap_cli.cli.app import execute


class Cli:
    """Types commands against a database and a simulator."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run with --json; check the exit code and the envelope; return the whole object."""
        got = execute([*words, "--json"])
        out, err = self.capsys.readouterr()
        assert got == code, (got, out, err)
        answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        assert set(answer) == {
            "ok",
            "partial",
            "command",
            "run_id",
            "exit_code",
            "result",
            "warnings",
            "error",
        }
        assert (answer["exit_code"], answer["ok"], answer["partial"]) == (code, code in (0, 4), code == 4)
        assert "Traceback" not in err
        return answer

    def text(self, *words: str, code: int = 0) -> tuple[str, str]:
        got = execute(list(words))
        out, err = self.capsys.readouterr()
        assert got == code, (got, out, err)
        return out, err
