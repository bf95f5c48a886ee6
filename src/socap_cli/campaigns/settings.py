"""What can be set of a campaign, by an option or by a key of its file, read and cleared by one table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from socap_cli.campaigns import values
from socap_cli.config import Alerts
from socap_cli.errors import UsageError

Reader = Callable[[Any, str], Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that can be set: its option and key, where the campaign keeps it, how it is read."""

    name: str
    """As a key of a file; its option is the same with hyphens."""
    field: str
    read: Reader
    option: str = ""
    """The option, where it is not named like the key: lists are given one at a time."""
    clearable: bool = True

    @property
    def option_name(self) -> str:
        """As it is typed on the command line."""
        return f"--{(self.option or self.name).replace('_', '-')}"


SETTINGS = (
    Setting("name", "name", values.read_text),
    Setting("start", "starts_at", values.read_moment, clearable=False),
    Setting("end", "ends_at", values.read_moment),
    Setting("threshold", "threshold", values.read_threshold),
    Setting("channels", "channels", values.read_receivers, option="channel"),
    Setting("slack_webhook", "slack_webhook", values.read_text),
    Setting("client_name", "client_name", values.read_text),
    Setting("client_email", "client_email", values.read_text),
    Setting("vips", "vips", values.read_accounts, option="vip"),
    Setting("ignores", "ignores", values.read_accounts, option="ignore"),
    Setting("spacing", "spacing_minutes", values.read_minutes),
    Setting("frequency_window", "frequency_window_minutes", values.read_minutes),
    Setting("quiet_hours", "quiet_hours", values.read_quiet_hours),
    Setting("digest", "digest", values.read_digest),
    Setting("cadence", "cadence", values.read_cadence),
    Setting("stop_when_cold", "stop_when_cold", values.read_flag),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
DAYS = "days"
Given = Mapping[str, Any]


def read_settings(given: Given, *, start: datetime, of_file: Collection[str] = ()) -> dict[str, Any]:
    """What was given, by the fields of a campaign. `start` is what `days` counts from when no start is given.

    Names in `of_file` are told as keys of a file, the others as options. Raises UsageError.
    """
    if given.get("end") is not None and given.get(DAYS) is not None:
        end, days = (name if name in of_file else f"--{name}" for name in ("end", DAYS))
        raise UsageError(f"{end} and {days} say the same thing", hint="give one of them")
    found = {
        setting.field: setting.read(
            given[setting.name], setting.name if setting.name in of_file else setting.option_name
        )
        for setting in SETTINGS
        if given.get(setting.name) is not None
    }
    if given.get(DAYS) is not None:
        lasting = values.read_days(given[DAYS], DAYS if DAYS in of_file else f"--{DAYS}")
        found["ends_at"] = found.get("starts_at", start) + lasting
    return found


def over_file(options: Given, file: Given) -> dict[str, Any]:
    """What options and a file say together: an option wins, and an end or a number of days over either."""
    ends = {"end", DAYS}
    gone = {*options, *(ends if ends & set(options) else ())}
    return {**{name: value for name, value in file.items() if name not in gone}, **options}


def cleared(names: Sequence[str], slug: str, alerts: Alerts) -> dict[str, Any]:
    """The values that these settings have when nothing was ever said. Raises UsageError for an unknown name."""
    plain = defaults(slug, alerts)
    found = {}
    for name in names:
        key = name.strip().removeprefix("--").replace("-", "_").lower()
        setting = next((s for s in SETTINGS if key and key in (s.name, s.option, s.field)), None)
        if setting is None or not setting.clearable:
            known = ", ".join(s.name.replace("_", "-") for s in SETTINGS if s.clearable)
            raise UsageError(f"--clear: {name!r} cannot be cleared", hint=f"there are {known}")
        found[setting.field] = plain[setting.field]
    return found


def defaults(slug: str, alerts: Alerts) -> dict[str, Any]:
    """What a campaign has of which only the slug is known."""
    return {
        "name": slug,
        "ends_at": None,
        "threshold": alerts.threshold,
        "channels": (),
        "slack_webhook": None,
        "client_name": None,
        "client_email": None,
        "vips": (),
        "ignores": (),
        "spacing_minutes": alerts.spacing_minutes,
        "frequency_window_minutes": alerts.frequency_window_minutes,
        "quiet_hours": None,
        "digest": None,
        "cadence": None,
        "stop_when_cold": False,
    }
