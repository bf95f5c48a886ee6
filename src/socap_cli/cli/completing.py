"""What the shell offers when Tab is pressed. Nothing here may fail, wait, write, or start a database."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

ASKED = "_SOCAP_COMPLETE"
"""The shell sets it when it asks."""
TYPED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Where shells put what was typed."""
PATIENCE = 0.5
"""Seconds that the database has to answer."""
CHOICE = re.compile(r"[a-z0-9_-]+(?:\|[a-z0-9_-]+)*")


def typed() -> list[str]:
    """The words that the shell wants completed, without the program's own; none when it did not ask."""
    if not os.environ.get(ASKED):
        return []
    line = next((os.environ[name] for name in TYPED if os.environ.get(name)), "")
    try:
        return shlex.split(line)[1:]
    except ValueError:  # a quote that is still open
        return line.split()[1:]


def words_of(metavar: str) -> list[str]:
    """The words that an option lists in its help, as in `hour|day`; none when it names a kind of value."""
    return metavar.split("|") if CHOICE.fullmatch(metavar) else []


def slugs(incomplete: str) -> list[str]:
    """The campaigns that begin like this; nothing when the database does not answer at once."""
    try:
        return [slug for slug in _slugs() if slug.startswith(incomplete)]
    except Exception:  # a Tab is no place for an error
        return []


def _slugs() -> list[str]:
    from socap_cli import config
    from socap_cli.bootstrap import secret
    from socap_cli.cli.run import Run, split_global_options
    from socap_cli.store.embedded import Embedded
    from socap_cli.store.peeking import slugs_at

    run = Run()
    split_global_options(run, typed())
    settings = config.load(run.config, data_dir=run.data_dir)
    uri = secret(settings.database.uri)
    if not uri:
        embedded = Embedded(Path(settings.data_dir))
        if not embedded.is_up():
            return []
        uri = embedded.uri
    return slugs_at(uri, settings.database.name, within=PATIENCE)


def pages(incomplete: str) -> list[str]:
    """The topics of `socap help`."""
    from socap_cli.cli.topics import topics

    return [name for name in topics() if name.startswith(incomplete)]


def channels(incomplete: str) -> list[str]:
    """The channels that there are."""
    from socap_cli.channels.table import CHANNELS

    return [name for name in CHANNELS if name.startswith(incomplete)]


OFFERS = {
    "SLUG": slugs,
    "[SLUG]": slugs,
    "SLUG SLUG…": slugs,
    "[CHANNEL]": channels,
    "[TOPIC]": pages,
    "NAME[=ADDRESS]": channels,
}
"""What completes a value, by how the help names it."""


def values_of(metavar: str, incomplete: str) -> list[str]:
    """The values that begin like this, of a parameter that the help names so."""
    offer = OFFERS.get(metavar.partition("[,")[0])  # without what may follow
    return offer(incomplete) if offer else [word for word in words_of(metavar) if word.startswith(incomplete)]
