"""From a command line's run to what its command needs."""

from __future__ import annotations

import os
from pathlib import Path

from socap_cli import config
from socap_cli.bootstrap import Bootstrap
from socap_cli.channels.setting_secrets import secrets_in
from socap_cli.cli.run import Run
from socap_cli.config import Settings

LOG = Path("logs") / "socap.log"
"""Below the data folder."""
FONTS = "matplotlib"
"""Its list of fonts, below the data folder: a scheduler's user has often no home that can be written."""
MEGABYTE = 1_000_000


def bootstrap(run: Run) -> Bootstrap:
    """What builds things from the settings that this run names; its log hides their secrets. Raises ConfigError."""
    settings = config.load(run.config, data_dir=run.data_dir)
    run.place = settings.data_dir
    os.environ.setdefault("MPLCONFIGDIR", str(settings.data_dir / FONTS))
    if run.logs is not None:
        run.logs.hide(secrets_in(settings))
        if settings.logging.file:
            _log_to_file(run, settings)
    if (address := settings.pings.address_of(run.command)) and not run.at_end:
        from socap_cli.pings import Ping  # HTTP, for nothing else

        ping = Ping(address, run.run_id, timeout=settings.pings.timeout)
        ping.started()
        run.at_end.append(ping.ended)
    return Bootstrap(settings, inform=run.info, warn=run.warnings.append)


def _log_to_file(run: Run, settings: Settings) -> None:
    """Write the log below the data folder; where that cannot be, the run goes on and says so."""
    assert run.logs is not None
    wanted, path = settings.logging, settings.data_dir / LOG
    try:
        run.logs.write_to(path, most_bytes=int(wanted.megabytes * MEGABYTE), files=wanted.files)
    except OSError as error:
        run.warnings.append(f"no log in {path}: {error.strerror or error}")
