"""What is left of an error that nobody foresaw: a log that is a bug report already."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from socap_cli import __version__
from socap_cli.cli import output
from socap_cli.cli.run import Run
from socap_cli.config import default_data_dir
from socap_cli.errors import SocapError
from socap_cli.files.writing import write_file


def write_bug_report(run: Run, error: BaseException) -> str:
    """Keep a traceback, without secrets, where a person can find it; return what to do with it.

    Raises nothing: where no file can be written, stderr gets the traceback.
    """
    text = (
        f"socap {__version__}, Python {sys.version.split()[0]}, {sys.platform}\ncommand: {run.command}\n"
        f"at: {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n\n" + "".join(traceback.format_exception(error))
    )
    text = run.logs.mask(text) if run.logs else text
    with suppress(SocapError, OSError, ValueError, RuntimeError):
        folder = _data_dir(run) / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"bug-{run.run_id[:12]}.log"
        write_file(path, text.encode("utf-8", "backslashreplace"), mode=0o600)
        return f"please report it with {path}"
    output.say(text)
    return "please report it with the lines above"


def _data_dir(run: Run) -> Path:
    """The data folder, without reading a configuration that may be what failed."""
    given = os.environ.get("SOCAP_DATA_DIR")
    return run.data_dir or (Path(given).expanduser() if given else default_data_dir())
