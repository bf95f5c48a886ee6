"""Command lines out of examples and documents, judged against the program without running them."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import Any

import typer

from socap_cli.cli.app import whole_program
from socap_cli.cli.run import Run, split_global_options

BEFORE = re.compile(r"[A-Z_]+=.*|exec|flock|-\w|/\S*")
"""What may stand before a command: variables, and programs that run it, with their options and files."""
SEPARATORS = frozenset({"&&", "||", ";", "|", "&"})


@cache
def parser() -> Any:
    """The whole program's."""
    return typer.main.get_command(whole_program())


def commands_in(line: str) -> list[list[str]]:
    """The words of each `socap …` of a line of shell, whatever stands before it; redirections are left out."""
    lexer = shlex.shlex(re.sub(r"\d?>&?\S+", "", line), posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    found: list[list[str]] = []
    current: list[str] | None = None
    begins = True
    for word in lexer:
        if word in SEPARATORS or set(word) <= set("();<>|&"):
            current, begins = None, True
        elif current is not None:
            current.append(word)
        elif begins and (word == "socap" or word.endswith("/socap")):
            current = []
            found.append(current)
        else:
            begins = begins and bool(BEFORE.fullmatch(word))
    return found


def complaint(words: list[str]) -> str:
    """What the program's parser says against a command line; empty when it takes it."""
    rest = split_global_options(Run(), words)
    command, at = parser(), 0
    while hasattr(command, "commands"):
        if at >= len(rest) or rest[at] not in command.commands:
            return f"no command {' '.join(rest[: at + 1])!r}"
        command, at = command.commands[rest[at]], at + 1
    try:
        command.make_context("socap", rest[at:], resilient_parsing=False)
    except Exception as error:  # the parser's own, of several kinds
        return f"{type(error).__name__}: {getattr(error, 'message', error)}"
    return ""
