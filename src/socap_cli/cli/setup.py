"""init, doctor and config show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from socap_cli.bootstrap import CLOCK_TOLERANCE, Bootstrap, channels_of, open_provider
from socap_cli.cli import tables
from socap_cli.cli.run import Run, bootstrap
from socap_cli.errors import SocapError
from socap_cli.files import write_file
from socap_cli.model.message import parse_receiver
from socap_cli.settings import FILE_NAME, PLACES, find_file, secret_texts
from socap_cli.status import RULES, gather, troubles
from socap_cli.store import Db, connect, importance, usage
from socap_cli.store.connect import clock, clock_offset
from socap_cli.text import MASK

if TYPE_CHECKING:
    from socap_cli.channels import Channel

config_app = typer.Typer(help="Effective settings, and where each comes from.", no_args_is_help=True)
LOW_DISK = 1 << 30
OTHERS = 0o077
LITTLE_USD = 0.05
"""A balance below this is little, whatever a day takes."""
CLOCK_WARNING = 30.0
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


def init(ctx: typer.Context) -> None:
    """Write a commented socap.toml if there is none, create the indexes, say what was found.

    Example: socap init
    """
    run: Run = ctx.obj
    place = find_file(run.config) or Path(FILE_NAME)
    written = not os.path.lexists(place)
    if written:
        write_file(place, (files("socap_cli") / "config.example.toml").read_bytes(), mode=0o600)
    built = bootstrap(run)
    with built.database(may_be_new=True) as db:
        names = built.settings.database
        connect.check_features(db)
        count = connect.ensure_indexes(db)
        server = db.client.server_info()["version"]
    lines = [
        f"{'wrote' if written else 'found'} {place}",
        f"MongoDB {server} at {'MONGODB_URI' if names.uri else built.embedded().db_path}, {count} indexes",
        "provider key: "
        + ("set" if built.settings.provider.api_key else "not set; export TWITTER_API_KEY=…"),
    ]
    result = {"config": str(place), "written": written, "indexes": count, "mongodb": server}
    run.done(result, text="\n".join(lines))


@config_app.command("show")
def show_config(ctx: typer.Context) -> None:
    """Show every setting, its value and where it comes from; secrets are masked.

    Example: socap config show
    """
    run: Run = ctx.obj
    configuration = bootstrap(run).configuration
    rows = [
        {
            "setting": ".".join(place),
            "value": _masked(reduce(getattr, place, configuration.settings)),
            "origin": configuration.origins.get(place, "default"),
        }
        for place in PLACES
    ]
    columns = tables.Columns(("setting", "value", "origin"), cut=("value",))
    lines = [(row["setting"], _shown_value(row["value"]), row["origin"]) for row in rows]
    run.done({"settings": rows}, text=lambda: tables.show(columns, lines))


def _masked(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_masked(one) for one in value]
    return MASK if isinstance(value, SecretStr) else value


def _shown_value(value: Any) -> Any:
    return ", ".join(map(str, value)) or None if isinstance(value, list) else value


def doctor(
    ctx: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Make no request to other machines.")] = False,
) -> None:
    """Check configuration, database, provider, channels, clock and disk: a line each, exit 1 if one fails.

    Example: socap doctor --offline
    """
    run: Run = ctx.obj
    checks = run_checks(bootstrap(run), offline=offline)
    rows = [{"check": c.name, "state": c.state, "message": c.message, "hint": c.hint} for c in checks]
    failed = any(c.state == "fail" for c in checks)
    lines = [f"{c.state:<5} {c.name}: {c.message}{f' – {c.hint}' if c.hint else ''}" for c in checks]
    run.done({"checks": rows}, text="\n".join(lines), exit_code=1 if failed else 0)


def run_checks(built: Bootstrap, *, offline: bool) -> list[Check]:
    """Every check, in the order in which an operator would look."""
    found: list[Check] = []
    for name, check in CHECKS.items():
        if offline and check in (_provider, _channels):
            found.append(Check(name, "skip", "not asked: --offline"))
            continue
        try:
            found.extend(check(built))
        except SocapError as error:
            found.append(Check(name, "fail", error.message, error.hint))
    return found


def _configuration(built: Bootstrap) -> Iterator[Check]:
    file, origins = built.configuration.file, built.configuration.origins
    held = [
        at
        for at in PLACES
        if origins.get(at) == str(file) and any(secret_texts(reduce(getattr, at, built.settings)))
    ]
    if file is None:
        yield Check("configuration", "ok", "no file; environment and defaults")
    elif file.stat().st_mode & OTHERS and held:
        said = f"{file} can be read by others, and holds {', '.join(map('.'.join, held))}"
        yield Check("configuration", "warn", said, f"chmod 600 {file}")
    else:
        yield Check("configuration", "ok", str(file))
    folder = built.settings.alerts.templates
    if folder is not None and not folder.is_dir():
        said = f"[alerts] templates: there is no folder {folder}, and ours are used"
        yield Check("templates", "fail", said, "name the folder, or take the setting out")


def _indexes(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db:
        missing = connect.missing_indexes(db)
    if missing:
        yield Check("indexes", "fail", f"missing: {', '.join(missing)}", "make them with: socap init")
    else:
        yield Check("indexes", "ok", "all there")


def _database(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db:
        server = db.client.server_info()["version"]
        connect.check_features(db)
        yield Check("database", "ok", f"MongoDB {server}, database {db.name}")
        skew = abs(clock_offset(db).total_seconds())
    if skew > CLOCK_WARNING:
        state = "fail" if skew > CLOCK_TOLERANCE else "warn"
        said = f"the database's clock is {skew:.0f} s off this host's"
        yield Check("clock", state, said, "run NTP on both")
    else:
        yield Check("clock", "ok", f"within {max(1, round(skew))} s of the database's")


def _importance(built: Bootstrap) -> Iterator[Check]:
    with built.database() as db:
        found = importance.survey(db, built.importance())
    what = f"{found.people:,} important people, {found.entries:,} accounts in the index"
    if found.unreadable:
        hint = f"correct {' | '.join(found.samples[:SHOWN])}"
        yield Check("importance", "warn", f"{what}; {found.unreadable:,} cannot be read whole", hint)
    elif not found.entries:
        said = f"{what}: no important people configured"
        yield Check("importance", "warn", said, "socap importance import, then build")
    else:
        yield Check("importance", "ok", what)
    if found.missing_indexes and found.entries > MANY_ENTRIES:
        said = f"look-ups read all {found.entries:,} entries: no index on {', '.join(found.missing_indexes)}"
        yield Check("importance", "warn", said, "docs/importance.md shows how to create it")


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
        yield Check("provider", "ok", "the key is accepted; the provider does not report credits")
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
    from socap_cli.alerts.rules import default_campaign, targets_of  # HTTP, only for this check

    named = [parse_receiver(text.get_secret_value()) for text in built.settings.alerts.to]
    channels = channels_of(built)
    found = targets_of(default_campaign(datetime.now(UTC)), channels, named).found
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


CHECKS: dict[str, Callable[[Bootstrap], Iterator[Check]]] = {
    "configuration": _configuration,
    "database": _database,
    "indexes": _indexes,
    "importance": _importance,
    "disk": _disk,
    "data folder": _data_folder,
    "server": _server,
    "state": _state,
    "provider": _provider,
    "channels": _channels,
}
