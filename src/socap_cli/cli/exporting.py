"""Texts that commands export: to a file, or to stdout."""

from __future__ import annotations

from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.cli.wording import counted
from socap_cli.errors import UsageError
from socap_cli.files.writing import write_file


def write_out(run: Run, content: str, out: str, count: int, *, what: str = "row") -> None:
    """Print an export, or write it to a file.

    Raises SocapError when it cannot be written, UsageError when stdout is to hold the result as JSON too.
    """
    if not out and run.json:
        raise UsageError("--json needs a file", hint="give --out FILE")
    if not out:
        print_line(content.rstrip("\n"))
        run.result = {f"{what}s": count}
        return
    write_file(out, content.encode("utf-8", "replace"))
    run.done({"file": out, f"{what}s": count}, text=f"{counted(count, what)} in {out}")
