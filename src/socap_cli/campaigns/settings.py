"""What can be set of a campaign, by an option or by a key of its file, read and cleared by one table. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from socap_cli.campaigns.source import Line, is_list_of_tweets, lines_of
from socap_cli.errors import SocapError, UsageError
from socap_cli.files import parse_toml, printable, tree_rows
from socap_cli.model.cadence import Cadence
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet
from socap_cli.model.message import parse_digest, parse_quiet_hours, parse_receiver, public_spelling
from socap_cli.settings import Alerts

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


def read_accounts(value: Any, place: str) -> tuple[str, ...]:
    """Accounts in any usual form, each once, in lower case: handles have no case."""
    try:
        found = [name.lower() for text in _list(value, place) for name in handles(text)]
    except NotAHandle as reason:
        raise UsageError(f"{place}: {printable(str(reason))}", hint=f"as in {place} @ada") from None
    return tuple(dict.fromkeys(found))


def read_cadence(value: Any, place: str) -> str:
    """How often tweets are looked at."""
    text = read_text(value, place)
    if text not in tuple(Cadence):
        raise UsageError(f"{place}: {_shown(text)} is no cadence", hint=f"there is {' or '.join(Cadence)}")
    return text


def read_digest(value: Any, place: str) -> str:
    """How often what is not urgent is told together."""
    return _parsed(parse_digest, read_text(value, place), place)


def read_flag(value: Any, place: str) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise UsageError(f"{place}: {_shown(value)} is neither true nor false")
    return value


def read_minutes(value: Any, place: str) -> int:
    """Whole minutes, up to a year."""
    number = _number(value, place, most=MOST_MINUTES)
    if not number.is_integer():
        raise UsageError(f"{place}: {_shown(value)} is no whole number of minutes")
    return int(number)


def read_moment(value: Any, place: str) -> datetime:
    """A time, ISO 8601 as text or as TOML has it; without an offset it is UTC, a date alone its first moment."""
    try:
        read = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(read, date) and not isinstance(read, datetime):
            read = datetime.combine(read, time())
        moment: datetime = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        raise UsageError(
            f"{place}: {_shown(value)} is no ISO time", hint="write it like 2026-01-31T09:00Z"
        ) from None
    if not EARLIEST <= moment < LATEST:
        raise UsageError(f"{place}: {moment:%Y-%m-%d} is out of range", hint="there is 2006 to 2199")
    return moment.replace(microsecond=0)


def read_quiet_hours(value: Any, place: str) -> str:
    """`off`, or hours of the day in a time zone."""
    text = read_text(value, place)
    return text if text == "off" else _parsed(parse_quiet_hours, text, place)


def read_receivers(value: Any, place: str) -> tuple[str, ...]:
    """Receivers in the notation of `parse_receiver`, each once. An address may be a secret and is not repeated."""
    try:
        found = [parse_receiver(text).spelling for text in _list(value, place) if text.strip()]
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None
    if not all(text.isprintable() and len(text) <= LONGEST_ADDRESS for text in found):
        raise UsageError(f"{place}: an address holds a character that cannot be printed, or is too long")
    return tuple(dict.fromkeys(found))


def read_text(value: Any, place: str) -> str:
    """One printable line."""
    if not isinstance(value, str):
        raise UsageError(f"{place}: {_shown(value)} is no text")
    text = value.strip()
    if not text:
        raise UsageError(f"{place}: empty", hint="leave it out, or clear what is set with --clear")
    if not text.isprintable():
        raise UsageError(f"{place}: holds a character that cannot be printed")
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"{place}: longer than {LONGEST_TEXT} characters")
    return text


def read_threshold(value: Any, place: str) -> float:
    """An importance from 0 on."""
    return _number(value, place, most=HIGHEST_THRESHOLD)


SETTINGS = (
    Setting("name", "name", read_text),
    Setting("start", "starts_at", read_moment, clearable=False),
    Setting("end", "ends_at", read_moment),
    Setting("threshold", "threshold", read_threshold),
    Setting("channels", "channels", read_receivers, option="channel"),
    Setting("slack_webhook", "slack_webhook", read_text),
    Setting("client_name", "client_name", read_text),
    Setting("client_email", "client_email", read_text),
    Setting("vips", "vips", read_accounts, option="vip"),
    Setting("ignores", "ignores", read_accounts, option="ignore"),
    Setting("spacing", "spacing_minutes", read_minutes),
    Setting("frequency_window", "frequency_window_minutes", read_minutes),
    Setting("quiet_hours", "quiet_hours", read_quiet_hours),
    Setting("digest", "digest", read_digest),
    Setting("cadence", "cadence", read_cadence),
    Setting("stop_when_cold", "stop_when_cold", read_flag),
)


BY_NAME = {setting.name: setting for setting in SETTINGS}


DAYS = "days"


Given = Mapping[str, Any]


SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


RESERVED = frozenset(
    ["index", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
"""`index` is the page of all campaigns; the others cannot be names of files everywhere."""


EARLIEST, LATEST = datetime(2006, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


MOST_DAYS = 36_500.0


MOST_MINUTES = 525_600


HIGHEST_THRESHOLD = 1e12


LONGEST_TEXT = 200


LONGEST_ADDRESS = 2000


CLIENT = {"name": "client_name", "email": "client_email"}


SEE = "see a whole file with: socap campaign export SLUG"


@dataclass(frozen=True, slots=True)
class Document:
    """What a campaign's file says."""

    slug: str | None
    given: dict[str, Any]
    """Settings by name; an empty text or list clears one."""
    lines: tuple[Line, ...]
    lists_tweets: bool
    """Whether it lists tweets at all; if so these are the campaign's."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is, or would be, another."""

    name: str
    before: Any
    after: Any


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
        lasting = read_days(given[DAYS], DAYS if DAYS in of_file else f"--{DAYS}")
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


def check_slug(slug: str) -> str:
    """A slug that can name a campaign and the file of its page. Raises UsageError."""
    if not SLUG.fullmatch(slug):
        raise UsageError(
            f"{_shown(slug)} is no campaign slug",
            hint="use lower-case letters, digits, - and _, at most 63, no space",
        )
    if slug in RESERVED:
        raise UsageError(
            f"{slug!r} cannot be a slug: its page could not have that name", hint="choose another"
        )
    return slug


def read_days(value: Any, place: str) -> timedelta:
    """A number of days over 0."""
    return timedelta(days=_number(value, place, above=0.0, most=MOST_DAYS))


def read_hours(value: Any, place: str) -> timedelta:
    """A number of hours from 0 on."""
    return timedelta(hours=_number(value, place, most=MOST_DAYS * 24))


def _number(value: Any, place: str, *, most: float, above: float | None = None) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{place}: {_shown(value)} is no number")
    if number < 0 or number > most or (above is not None and number <= above):
        least = "more than 0" if above is not None else "0"
        raise UsageError(f"{place}: {number:,.12g} is out of range", hint=f"there is {least} to {most:,.0f}")
    return number


def _parsed(parse: Callable[[str], object], text: str, place: str) -> str:
    try:
        return str(parse(text))
    except ValueError as error:
        raise UsageError(f"{place}: {_shown(text)} {error}") from None


def _list(value: Any, place: str) -> Sequence[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{place}: {_shown(value)} is no list of texts")
    return words


def _shown(value: Any) -> str:
    try:
        text = ascii(value)
    except ValueError:  # a number of more digits than Python writes
        text = "a number of many digits"
    return text if len(text) <= 60 else f"{text[:59]}…"


def new_campaign(slug: str, values: Mapping[str, Any], alerts: Alerts, *, now: datetime) -> Campaign:
    """A campaign of these values and of defaults for all others. Raises UsageError."""
    fields = {"starts_at": now, **defaults(check_slug(slug), alerts), **values}
    return check_window(Campaign(slug=slug, status=CampaignStatus.ACTIVE, created_at=now, **fields))


def changed(campaign: Campaign, values: Mapping[str, Any], *, now: datetime) -> Campaign:
    """A campaign with other settings. One that had ended opens again when its window now reaches on."""
    after = check_window(replace(campaign, **values))
    if after.ends_at == campaign.ends_at and "ends_at" not in values:
        return after
    after = replace(after, last_cycle_at=None)
    is_open = after.ends_at is None or after.ends_at > now
    return reopened(after) if campaign.status is CampaignStatus.COMPLETED and is_open else after


def reopened(campaign: Campaign) -> Campaign:
    """A campaign that is collected again, with a last cycle of its own to come."""
    return replace(campaign, status=CampaignStatus.ACTIVE, completed_at=None, last_cycle_at=None)


def resumed(campaign: Campaign, days: timedelta | None, *, now: datetime) -> Campaign:
    """A campaign that goes on: for some days from now, or to the end that it has.

    Raises UsageError when that is past.
    """
    if days is not None:
        campaign = replace(campaign, ends_at=(now + days).replace(microsecond=0))
    if campaign.ends_at is not None and campaign.ends_at <= now:
        raise UsageError(
            f"the window of {campaign.slug!r} ended at {campaign.ends_at:%Y-%m-%d %H:%M}",
            hint=f"say for how long: socap campaign resume {campaign.slug} --days N",
        )
    if campaign.status is CampaignStatus.COMPLETED or days is not None:
        return reopened(campaign)
    return replace(campaign, status=CampaignStatus.ACTIVE)


def with_status(campaign: Campaign, status: CampaignStatus, *, now: datetime) -> Campaign:
    """A campaign that is paused or completed. Raises SocapError for pausing one that is completed."""
    if campaign.status is CampaignStatus.COMPLETED and status is not CampaignStatus.COMPLETED:
        raise SocapError(
            f"campaign {campaign.slug!r} is completed",
            hint=f"open it again: socap campaign resume {campaign.slug}",
        )
    completed_at = now if status is CampaignStatus.COMPLETED else None
    return replace(campaign, status=status, completed_at=campaign.completed_at or completed_at)


def check_window(campaign: Campaign) -> Campaign:
    """The campaign, when its window ends after it starts. Raises UsageError."""
    if campaign.ends_at is not None and campaign.ends_at <= campaign.starts_at:
        raise UsageError(
            f"the window ends at {campaign.ends_at:%Y-%m-%d %H:%M} before it starts",
            hint="check --start and --end",
        )
    if campaign.ends_at is not None and campaign.ends_at >= LATEST:
        raise UsageError(f"the window ends in {campaign.ends_at:%Y}", hint="there is time until 2199")
    return campaign


def read_document(content: str, name: str) -> Document:
    """A TOML file as settings and tweets. Raises UsageError that names the key."""
    tree = parse_toml(content, name)
    given: dict[str, Any] = {}
    lists = {}
    for key, value in tree.items():
        if is_list_of_tweets(key, value):
            lists[key] = value
        elif key == "client" and isinstance(value, dict):
            given.update({_known(inner, CLIENT, f"{name}: client"): entry for inner, entry in value.items()})
        elif key != "slug":
            given[_known(key, {**{n: n for n in BY_NAME}, DAYS: DAYS}, name)] = value
    slug = tree.get("slug")
    if slug is not None and not isinstance(slug, str):
        raise UsageError(f"{name}: slug is no text")
    lines = lines_of(tree_rows(lists, content, is_list_of_tweets))
    return Document(slug, given, tuple(lines), bool(lists))


def _known(key: str, names: dict[str, str], place: str) -> str:
    found = names.get(key.replace("-", "_").lower())
    if found is None:
        raise UsageError(f"{place}: no setting {key[:60]!r}", hint=f"there are {', '.join(names)}; {SEE}")
    return found


def write_document(campaign: Campaign, tweets: Iterable[CampaignTweet]) -> str:
    """A campaign as the file that `read_document` reads. A webhook is a secret and only named."""
    lines = [f"slug = {_value(campaign.slug)}"]
    for setting in SETTINGS:
        value = getattr(campaign, setting.field)
        if setting.name == "channels" and value != tuple(map(public_spelling, value)):
            lines.append("# channels hold a secret address and are not written here")
        elif setting.name == "slack_webhook":
            lines.extend(["# slack_webhook is set and not written here"] if value else [])
        elif value not in (None, ()) and not setting.name.startswith("client_"):
            lines.append(f"{setting.name} = {_value(value)}")
    client = {key: getattr(campaign, field) for key, field in CLIENT.items()}
    if any(client.values()):
        lines += ["", "[client]", *(f"{key} = {_value(value)}" for key, value in client.items() if value)]
    for tweet in tweets:
        lines += [
            "",
            "[[tweets]]",
            f"url = {_value(tweet.url)}",
            f"category = {_value(tweet.category.short)}",
        ]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """A value as TOML; JSON's texts and lists are TOML's as well."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def differences(before: Campaign | None, after: Campaign) -> list[Difference]:
    """The settings in which two states of a campaign differ; a secret is only said to be set."""
    found = []
    for setting in SETTINGS:
        old = getattr(before, setting.field) if before else None
        new = getattr(after, setting.field)
        if old != new and not (before is None and new in (None, ())):
            hide = setting.name == "slack_webhook"
            if setting.name == "channels":
                old, new = (tuple(map(public_spelling, value or ())) for value in (old, new))
            found.append(
                Difference(setting.name, "set" if hide and old else old, "set" if hide and new else new)
            )
    if before is not None and before.status is not after.status:
        found.append(Difference("status", before.status.value, after.status.value))
    return found


def clearing(given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a file sets, and the names of what it clears by an empty text or list."""
    empty = [name for name, value in given.items() if isinstance(value, (str, list)) and not value]
    return {name: value for name, value in given.items() if name not in empty}, empty
