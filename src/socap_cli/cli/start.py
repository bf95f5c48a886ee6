"""From a command line's run to what its command needs."""

from __future__ import annotations

from socap_cli import config
from socap_cli.bootstrap import Bootstrap
from socap_cli.cli.run import Run


def bootstrap(run: Run) -> Bootstrap:
    """What builds things from the settings that this run names. Raises ConfigError."""
    settings = config.load(run.config, data_dir=run.data_dir)
    return Bootstrap(settings, inform=run.info, warn=run.warnings.append)
