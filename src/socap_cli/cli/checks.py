"""The checks of `socap doctor`: each finds out one thing and says what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from socap_cli.alerts.receivers import nobody, targets_of
from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.collecting import open_provider
from socap_cli.bootstrap.telling import channels_of
from socap_cli.channels import Channel
from socap_cli.config import secrets_in
from socap_cli.errors import SocapError
from socap_cli.model.receiver import parse_receiver
from socap_cli.status.gather import gather
from socap_cli.status.troubles import RULES, troubles
from socap_cli.store import Db, firm_check, indexes, usage
from socap_cli.store.clock import clock

LOW_DISK = 1 << 30
OTHERS = 0o077
LITTLE_USD = 0.05
"""A balance below this is little, whatever a day takes."""
CLOCK_TOLERANCE = 30.0
MANY_ENTRIES = 20_000
OWN_UNITS = ("socap-db", "cron", "crond", "user@")
"""Units that do not end with a command: the server's own, cron (KillMode=process), a user's manager."""
SHOWN = 3
"""Unreadable documents that are named."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: str
    """ok, warn, skip or fail."""
    message: str
    hint: str | None = None


def run_checks(built: Bootstrap, *, offline: bool) -> list[Check]:
    """Every check, in the order in which an operator would look."""
    found: list[Check] = []
    steps: list[tuple[str, Callable[[Bootstrap], Iterator[Check]]]] = [
        ("configuration", _configuration),
        ("database", _database),
        ("indexes", _indexes),
        ("importance", _importance),
        ("disk", _disk),
        ("data folder", _data_folder),
        ("server", _server),
        ("state", _state),
    ]
    outside: list[tuple[str, Callable[[Bootstrap], Iterator[Check]]]] = [
        ("provider", _provider),
        ("channels", _channels),
    ]
    for name, step in [*steps, *([] if offline else outside)]:
        try:
            found.extend(step(built))
        except SocapError as error:
            found.append(Check(name, "fail", error.message, error.hint))
    if offline:
        found.extend(Check(name, "skip", "not asked: --offline") for name, _ in outside)
    return found


def _configuration(built: Bootstrap) -> Iterator[Check]:
    file = built.settings.file
    if file is None:
        yield Check("configuration", "ok", "no file; environment and defaults")
    elif file.stat().st_mode & OTHERS and (secrets := secrets_in(file)):
        said = f"{file} can be read by others, and holds {', '.join(secrets)}"
        yield Check("configuration", "warn", said, f"chmod 600 {file}")
    else:
        yield Check("configuration", "ok", str(file))
    folder = built.settings.alerts.templates
    if folder is not None and not folder.is_dir():
        said = f"[alerts] templates: there is no folder {folder}, and ours are used"
        yield Check("templates", "fail", said, "name the folder, or take the setting out")


def _indexes(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db:
        missing = indexes.missing(db)
    if missing:
        yield Check("indexes", "fail", f"missing: {', '.join(missing)}", "make them with: socap init")
    else:
        yield Check("indexes", "ok", "all there")


def _database(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db:
        server = db.client.server_info()["version"]
        yield Check("database", "ok", f"MongoDB {server}, database {db.name}")
        status = db.command("serverStatus", repl=0, metrics=0, locks=0, codec_options=db.codec_options)
        skew = abs((status["localTime"] - datetime.now(UTC)).total_seconds())
        if skew > CLOCK_TOLERANCE:
            yield Check(
                "clock", "warn", f"the database's clock is {skew:.0f} s off this host's", "run NTP on both"
            )
        else:
            yield Check("clock", "ok", f"within {max(1, round(skew))} s of the database's")


def _importance(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db:
        found = firm_check.survey(db, built.importance())
    what = f"{found.people:,} important people, {found.entries:,} accounts in the index"
    if found.unreadable:
        names = (f"{one.collection} {one.key}: {'; '.join(one.problems)}" for one in found.samples[:SHOWN])
        said = f"mend {' | '.join(names)}"
        yield Check("importance", "warn", f"{what}; {found.unreadable:,} cannot be read whole", said)
    elif not found.entries:
        yield Check(
            "importance", "warn", f"{what}: nobody is important", "socap importance import, then build"
        )
    else:
        yield Check("importance", "ok", what)
    if found.missing_indexes and found.entries > MANY_ENTRIES:
        said = f"look-ups read all {found.entries:,} entries: no index on {', '.join(found.missing_indexes)}"
        yield Check("importance", "warn", said, "make them with: socap importance init")


def _disk(built: Bootstrap) -> Iterator[Check]:
    folder = built.settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    gib = f"{free / (1 << 30):.1f} GiB free in {folder}"
    yield Check("disk", "ok", gib) if free >= LOW_DISK else Check("disk", "fail", gib, "make room")


def _data_folder(built: Bootstrap) -> Iterator[Check]:
    folder = built.settings.data_dir
    if folder.exists() and folder.stat().st_mode & OTHERS and (folder / "mongod.lock").exists():
        yield Check("data folder", "warn", f"{folder} can be entered by others", f"chmod 700 {folder}")
    else:
        yield Check("data folder", "ok", str(folder))


def _server(built: Bootstrap) -> Iterator[Check]:
    """The embedded server dies with the unit that started it: systemd ends everything in a unit's control group."""
    pid = None if built.settings.database.uri else built.embedded().pid()
    unit = unit_of(pid) if pid is not None else ""
    if unit and not unit.startswith(OWN_UNITS):
        said = f"the embedded database (pid {pid}) belongs to {unit}, and ends with it"
        hint = "give it a unit of its own (examples/systemd), and set [database] autostart = false"
        yield Check("server", "warn", said, hint)
    elif pid is not None:
        yield Check("server", "ok", f"the embedded database is pid {pid}{f' of {unit}' if unit else ''}")


def unit_of(pid: int, proc: Path = Path("/proc")) -> str:
    """The systemd service that a process belongs to; empty when it belongs to none."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text("ascii", "replace").splitlines()
    except OSError:
        return ""
    names = [
        part for line in lines for part in line.split(":", 2)[-1].split("/") if part.endswith(".service")
    ]
    return names[-1] if names else ""


def _state(built: Bootstrap) -> Iterator[Check]:
    """What the store tells of the runs, the queue, the provider and the alerts: an area each."""
    with built.database() as db:
        told = troubles(gather(db), wanted=built.settings, now=clock(db)())
    for area in RULES:
        found = [one for one in told if one.area == area]
        yield from (Check(area, one.state, one.message, one.hint) for one in found)
        if not found:
            yield Check(area, "ok", "nothing to be seen")


def _provider(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db, open_provider(built) as provider:
        left = provider.credits_left()
        enough = max(_used_in_a_day(db), LITTLE_USD / (provider.usd_per_credit or 1.0))
    if left is None:
        yield Check("provider", "ok", "the key is accepted; credits are not told")
    elif left <= 0:
        yield Check("provider", "fail", "no credits left", "recharge the account")
    elif left < enough:
        said = f"{left:,.0f} credits left, less than the {enough:,.0f} that a day may take"
        yield Check("provider", "warn", said, "recharge the account")
    else:
        yield Check("provider", "ok", f"the key is accepted, {left:,.0f} credits left")


def _used_in_a_day(db: Db) -> float:
    """Credits that today or yesterday took, whichever took more."""
    today = datetime.now(UTC).date()
    return max(sum(usage.spent(db, day.isoformat()).values()) for day in (today, today - timedelta(days=1)))


def _channels(built: Bootstrap) -> Iterator[Check]:
    """Every address of the configuration, without sending anything."""
    named = [parse_receiver(text.get_secret_value()) for text in built.settings.alerts.to]
    channels = channels_of(built)
    found = targets_of(nobody(datetime.now(UTC)), channels, named).found
    for name, channel in channels.items():
        addresses = [target.address for target in found if target.channel == name]
        if not addresses:
            yield Check(name, "skip", *channel.missing.split("; ", 1))
        for address in addresses:
            yield _channel(channel, address)


def _channel(channel: Channel, address: str) -> Check:
    try:
        return Check(channel.name, "ok", channel.examine(address))
    except SocapError as error:
        return Check(channel.name, "fail", f"{channel.shown(address)}: {error.message}", error.hint)
