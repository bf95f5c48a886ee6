"""One run of the program: its global options, its output, its one error boundary."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from socap_cli.cli import output
from socap_cli.cli.output import OutputFailed, print_line
from socap_cli.errors import MissingValue, SocapError

PARTLY_DONE, BUG, INTERRUPTED = 4, 3, 130
FLAGS = {
    "--json": "json", "-q": "quiet", "--quiet": "quiet", "-v": "verbose", "--verbose": "verbose",
    "--exit-zero": "exit_zero",
}  # fmt: skip
VALUES = {"--config": "config", "--data-dir": "data_dir"}


@dataclass
class Run:
    """What the command line said that holds for every command, and what the run has to tell."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    exit_zero: bool = False
    config: Path | None = None
    data_dir: Path | None = None
    command: str = ""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    result: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    exit_code: int = 0
    started: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def done(
        self,
        result: dict[str, Any],
        *,
        text: str | Callable[[], object] = "",
        warnings: Sequence[str] = (),
        exit_code: int = 0,
    ) -> None:
        """Keep a command's result, and show it to a person. `text` is a line, or draws something itself."""
        self.result = result
        self.warnings.extend(warnings)
        self.exit_code = exit_code
        if self.json:
            return
        if callable(text):
            text()
        elif text and not self.quiet:
            print_line(text)

    def print(self, text: str) -> None:
        """Print for a person, on stdout."""
        if not self.json:
            print_line(text)

    def info(self, text: str) -> None:
        """Talk to a person, on stderr."""
        if not self.quiet and not self.json:
            output.say(text)

    def finish(self, error: SocapError | None = None) -> int:
        """Tell the outcome and return the exit code. Output that cannot be written is an outcome itself."""
        try:
            self._tell(error)
        except OutputFailed as failed:
            error = error or failed
            self._tell(error)
        return 0 if self.exit_zero else self._code(error)

    def _tell(self, error: SocapError | None) -> None:
        if not self.json:
            for warning in self.warnings:
                output.say(f"warning: {warning}")
        if error is not None:
            hint = f" – {one_line(error.hint)}" if error.hint else ""
            output.say(f"error: {one_line(error.message)}{hint}")
        if self.json:
            print_line(
                as_json(self._envelope(error, self._code(error)), ascii_only=not output.takes_unicode())
            )

    def _code(self, error: SocapError | None) -> int:
        return error.exit_code if error else self.exit_code

    def _envelope(self, error: SocapError | None, code: int) -> dict[str, Any]:
        return {
            "ok": code in (0, PARTLY_DONE),
            "partial": code == PARTLY_DONE,
            "command": self.command,
            "run_id": self.run_id,
            "exit_code": code,
            "result": self.result,
            "warnings": self.warnings,
            "error": None
            if error is None
            else {"type": type(error).__name__, "message": error.message, "hint": error.hint},
        }


def split_global_options(run: Run, arguments: Sequence[str]) -> list[str]:
    """Move the global options of a command line into the run, wherever they stand; return the command's own words.

    Raises MissingValue.
    """
    rest = []
    words = iter(arguments)
    for word in words:
        name, mark, value = word.partition("=")
        if word == "--":
            rest.extend([word, *words])
        elif word in FLAGS:
            setattr(run, FLAGS[word], True)
        elif name in VALUES:
            given = value if mark else next(words, None)
            if not given:
                raise MissingValue(f"option {name} needs a value")
            setattr(run, VALUES[name], Path(given))
        else:
            rest.append(word)
    run.command = " ".join(word for word in rest[:2] if not word.startswith("-"))
    return rest


def one_line(text: str) -> str:
    """A message as one line, without control characters that a stranger's text may hold."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def as_json(value: object, *, ascii_only: bool) -> str:
    """One compact line of JSON."""
    return json.dumps(value, default=json_default, separators=(",", ":"), ensure_ascii=ascii_only)


def json_default(value: object) -> object:
    """What JSON cannot hold, as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)
