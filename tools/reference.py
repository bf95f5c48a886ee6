"""Writes docs/reference/: every command with its options, every setting, every exit code, out of the program itself.

python tools/reference.py            # writes them
python tools/reference.py --check    # exit 1 when they differ from what would be written
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, SecretStr

from socap_cli import errors
from socap_cli.cli.app import everywhere, whole_program
from socap_cli.cli.run import BUG, INTERRUPTED, PARTLY_DONE
from socap_cli.settings import PLAN_NAMES, Settings

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
ABOVE = "<!-- Written by tools/reference.py: change the program, then run it. -->\n\n"
OWN_CODES = {
    0: "done",
    1: "failed; the message says why",
    2: "usage or configuration is wrong",
    5: "another run does this right now",
    6: "the day's budget is reached",
    7: "provider or database unavailable; nothing is lost, the next run continues",
    PARTLY_DONE: "partly done: some items failed, the rest is in order",
    BUG: "a bug: the log that is named is the report to send",
    INTERRUPTED: "interrupted by Ctrl-C",
}


def leaves(command: Any, path: tuple[str, ...] = ("socap",)) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, with its whole name."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*path, name))
    if not hasattr(command, "commands"):
        yield " ".join(path), command


def commands() -> str:
    """The page of commands."""
    everything = typer.Typer()
    everything.command("socap")(everywhere)
    lines = [
        "# Commands",
        "",
        "What [stands everywhere](../commands.md), then each command with its options.",
    ]
    lines += ["", "## socap", "", *_options(typer.main.get_command(everything))]
    for name, command in leaves(typer.main.get_command(whole_program())):
        if getattr(command, "hidden", False):
            continue
        lines += ["", f"## {name}", "", *_words(command.help or "")]
        usage = [_metavar(one) for one in command.params if type(one).__name__ == "TyperArgument"]
        lines += ["", "```text", " ".join([name, *usage, "[OPTIONS]"]), "```"]
        lines += ["", *_options(command)]
    return ABOVE + "\n".join(lines).rstrip() + "\n"


def _words(text: str) -> list[str]:
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]
    shown = [
        f"`{one.removeprefix('Example: ')}`" if one.startswith("Example: ") else one for one in paragraphs
    ]
    return [line for one in shown for line in (one, "")][:-1]


def _metavar(parameter: Any) -> str:
    if type(parameter).__name__ == "TyperArgument":
        name = str(parameter.metavar or parameter.name.upper())
        plain = name if parameter.required or name.startswith("[") else f"[{name}]"
        return plain + ("…" if parameter.nargs == -1 and "…" not in name else "")
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type_descriptor
    choices = "|".join(str(choice) for choice in kind.choices or ())
    return choices or ("NUMBER" if {int, float} & {kind.annotation} else "TEXT")


def _options(command: Any) -> list[str]:
    rows = []
    for one in command.params:
        if "--help" in getattr(one, "opts", []) or getattr(one, "hidden", False):
            continue
        if type(one).__name__ == "TyperArgument":
            rows.append((f"`{_metavar(one)}`", one.help or "", ""))
            continue
        value = "" if one.is_flag else f" {_metavar(one)}"
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        rows.append(
            (
                f"{names}{f' `{value.strip()}`' if value else ''}",
                f"{one.help or ''}{_bounds(one)}",
                _default(one),
            )
        )
    if not rows:
        return ["No options."]
    return [
        "| option | means | default |",
        "|---|---|---|",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
    ]


def _bounds(option: Any) -> str:
    return f" {option.min:,.0f} to {option.max:,.0f}." if None not in (option.min, option.max) else ""


def _cell(text: str) -> str:
    """Bars end a cell, in code as well."""
    return text.replace("|", "\\|")


def _default(parameter: Any) -> str:
    value = parameter.default
    shown = parameter.show_default is not False and not parameter.is_flag
    return f"`{value}`" if shown and value not in (None, "", [], ()) and not callable(value) else ""


def settings() -> str:
    """The page of settings."""
    lines = [
        "# Settings",
        "",
        "In `socap.toml`, or as variables, which win. `NAME_FILE` reads a value from a file.",
    ]
    top = {name for name, field in Settings.model_fields.items() if not _is_section(field.annotation)}
    lines += ["", "## At the top", "", *_settings(Settings, top, ())]
    for name, field in Settings.model_fields.items():
        if _is_section(field.annotation):
            section: Any = field.annotation
            lines += [
                "",
                f"## [{name}]",
                "",
                *([inspect.cleandoc(section.__doc__), ""] if section.__doc__ else []),
            ]
            lines += _settings(section, set(section.model_fields), (name,))
    return ABOVE + "\n".join(lines).rstrip() + "\n"


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _settings(section: type[BaseModel], names: set[str], under: tuple[str, ...]) -> list[str]:
    meanings = _attribute_texts(section)
    short = {place: name for name, place in PLAN_NAMES.items()}
    comments = _comments()
    rows = []
    for name in section.model_fields:
        if name in names:
            place = (*under, name)
            variable = "SOCAP_" + "__".join(part.upper() for part in place)
            other = f", `{short[place]}`" if place in short else ""
            meaning = meanings.get(name) or comments.get(place, "")
            rows.append((f"`{name}`", meaning, _value(section, name), f"`{variable}`{other}"))
    head = ["| key | means | default | variable |", "|---|---|---|---|"]
    return [*head, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _value(section: type[BaseModel], name: str) -> str:
    field = section.model_fields[name]
    if field.default_factory is not None:
        return "per platform" if name == "data_dir" else "from `uri`, else `socap`"
    value = field.default
    if value is None or value == () or isinstance(value, SecretStr):
        return "not set"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"`{text.lower() if isinstance(value, bool) else text}`" if text else "empty"


def _attribute_texts(section: type[BaseModel]) -> dict[str, str]:
    """The text below each field of the class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            found[field.target.id] = " ".join(str(text.value.value).split())  # type: ignore[attr-defined]
    return found


def _comments() -> dict[tuple[str, ...], str]:
    """What stands behind each key in the example, for those whose name says it in the code."""
    example = Path(inspect.getfile(errors)).parent / "config.example.toml"
    found: dict[tuple[str, ...], str] = {}
    section: tuple[str, ...] = ()
    for line in example.read_text("utf-8").splitlines():
        if head := re.match(r"\[(\w+)\]", line):
            section = (head[1],)
        elif key := re.match(r"# (\w+) = .*?(?:\s{2,}# (.*))?$", line):
            found[(*section, key[1]) if key[1] != "data_dir" else (key[1],)] = key[2] or ""
    return found


def exit_codes() -> str:
    """The page of exit codes: the program's own, and those of its errors."""
    codes = dict(OWN_CODES)
    named: dict[int, list[str]] = {}
    for kind in _errors(errors.SocapError):
        named.setdefault(kind.exit_code, []).append(f"`{kind.__name__}`")
        if kind.exit_code not in codes and "exit_code" in vars(kind):
            codes[kind.exit_code] = (
                inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].rstrip(".").lower()
            )
    rows = [
        f"| {code} | {codes[code]} | {', '.join(sorted(named.get(code, [])))} |" for code in sorted(codes)
    ]
    lines = ["# Exit codes", "", "`error.type` of `--json` names the error.", ""]
    return ABOVE + "\n".join([*lines, "| code | means | errors |", "|---|---|---|", *rows]) + "\n"


def _errors(kind: type[errors.SocapError]) -> Iterator[type[errors.SocapError]]:
    """The tree of the program's errors, those with an exit code of their own first at their code."""
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__.startswith("socap_cli.errors"):
            yield from _errors(inner)


PAGES = {"commands.md": commands, "settings.md": settings, "exit-codes.md": exit_codes}


def main(*words: str) -> int:
    """Write the pages, or compare them."""
    FOLDER.mkdir(exist_ok=True)
    wrong = []
    for name, page in PAGES.items():
        path, text = FOLDER / name, page()
        if "--check" not in words:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            wrong.append(name)
    sys.stderr.write(
        "".join(f"docs/reference/{name} is not what tools/reference.py writes\n" for name in wrong)
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
