"""A campaign's settings from options and files, validated by the types of `Campaign`; its window and status. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from socap_cli.campaigns.source import Line, is_list_of_tweets, lines_of
from socap_cli.errors import SocapError, UsageError
from socap_cli.files import parse_toml, printable, tree_rows
from socap_cli.model.campaign import LATEST, Campaign, CampaignStatus, CampaignTweet, Days, Number
from socap_cli.model.message import public_spelling
from socap_cli.settings import AlertSettings

FIELDS = {
    "name": "name", "start": "starts_at", "end": "ends_at", "threshold": "threshold", "channels": "channels",
    "slack_webhook": "slack_webhook", "client_name": "client_name", "client_email": "client_email", "vips": "vips",
    "ignores": "ignores", "spacing": "spacing_minutes", "frequency_window": "frequency_window_minutes",
    "quiet_hours": "quiet_hours", "digest": "digest", "cadence": "cadence", "stop_when_cold": "stop_when_cold",
}  # fmt: skip
"""The keys of a campaign file, with the field of `Campaign` that each sets. Options have hyphens instead of _."""
COPIED = [field for field in FIELDS.values() if field not in ("name", "starts_at", "ends_at")]
"""What `add --like` takes from another campaign."""
SINGULAR = {"channels": "channel", "vips": "vip", "ignores": "ignore"}
"""Keys of lists, whose options are given once per entry."""
NOT_CLEARABLE = "start"
DAYS = "days"
CLIENT = {"name": "client_name", "email": "client_email"}
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
RESERVED = frozenset(
    ["index", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
"""`index` is the page of all campaigns; the others are not valid file names everywhere."""

HINTS = get_type_hints(Campaign, include_extras=True)
TYPES: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(HINTS[name]) for name in FIELDS.values()}
DAYS_TYPE: TypeAdapter[float] = TypeAdapter(Days)
HOURS_TYPE: TypeAdapter[float] = TypeAdapter(Annotated[Number, Field(ge=0, le=876_000)])


@dataclass(frozen=True, slots=True)
class Document:
    """A campaign file."""

    slug: str | None
    given: dict[str, Any]
    """Settings by key; an empty text or list clears one."""
    lines: tuple[Line, ...]
    lists_tweets: bool
    """Whether it lists tweets at all; if so these are the campaign's."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that changes. The values of secrets are replaced by `set`."""

    name: str
    before: Any
    after: Any


def read_settings(
    given: Mapping[str, Any], *, start: datetime, of_file: Collection[str] = ()
) -> dict[str, Any]:
    """The fields of a campaign that these settings set. `days` counts from `start` unless a start is given.

    Errors name keys in `of_file` as keys, the others as options. Raises UsageError.
    """
    given = {key: value for key, value in given.items() if value is not None}
    places = {key: key if key in of_file else option_of(key) for key in given}
    if "end" in given and DAYS in given:
        raise UsageError(f"{places['end']} and {places[DAYS]} cannot be combined", hint="give one of them")
    values = {
        FIELDS[key]: _validated(TYPES[FIELDS[key]], value, places[key])
        for key, value in given.items()
        if key in FIELDS
    }
    if DAYS in given:
        values["ends_at"] = values.get("starts_at", start) + read_days(given[DAYS], places[DAYS])
    return values


def option_of(key: str) -> str:
    return f"--{SINGULAR.get(key, key).replace('_', '-')}"


def read_accounts(value: Any, place: str) -> tuple[str, ...]:
    """Raises UsageError."""
    names: tuple[str, ...] = _validated(TYPES["vips"], value, place)
    return names


def read_days(value: Any, place: str) -> timedelta:
    """Raises UsageError."""
    return timedelta(days=_validated(DAYS_TYPE, value, place))


def read_hours(value: Any, place: str) -> timedelta:
    """Raises UsageError."""
    return timedelta(hours=_validated(HOURS_TYPE, value, place))


def _validated(type_: TypeAdapter[Any], value: Any, place: str) -> Any:
    try:
        return type_.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    if "error" in first.get("ctx", {}):
        reason = str(first["ctx"]["error"])
    else:
        reason = re.sub(r"^(Input|String) should", "must", first["msg"])
    if type_ in (TYPES["vips"], TYPES["channels"]) or place.endswith("webhook"):
        text = f"{place}: {reason}"  # the reason names the entry; an address may be a secret
    else:
        try:
            shown = ascii(value)[:60]
        except ValueError:
            shown = "a number with thousands of digits"
        text = f"{place} {shown}: {reason}"
    raise UsageError(printable(text), hint="leave it out, or use --clear" if value == "" else None)


def over_file(options: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    """Options win over a file, and `end` or `days` over both."""
    ends = {"end", DAYS}
    replaced = {*options, *(ends if ends & set(options) else ())}
    return {**{key: value for key, value in file.items() if key not in replaced}, **options}


def clearing(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a file sets, and the keys that it clears with an empty text or list."""
    empty = [key for key, value in given.items() if isinstance(value, (str, list)) and not value]
    return {key: value for key, value in given.items() if key not in empty}, empty


def cleared(names: Sequence[str], slug: str, alerts: AlertSettings) -> dict[str, Any]:
    """The default values of these settings. Raises UsageError for an unknown name."""
    known = {key: field for key, field in FIELDS.items() if key != NOT_CLEARABLE}
    spellings = known | {SINGULAR.get(key, key): field for key, field in known.items()}
    plain, values = defaults(slug, alerts), {}
    for name in names:
        field = spellings.get(name.strip().removeprefix("--").replace("-", "_").lower())
        if field is None:
            listed = ", ".join(key.replace("_", "-") for key in known)
            raise UsageError(f"--clear: {name!r} cannot be cleared", hint=f"use one of {listed}")
        values[field] = plain[field]
    return values


def defaults(slug: str, alerts: AlertSettings) -> dict[str, Any]:
    """The settings of a campaign of which only the slug is known."""
    plain = {
        field.name: field.default
        for field in fields(Campaign)
        if field.name in FIELDS.values() and field.default is not MISSING
    }
    return {
        **plain,
        "name": slug,
        "ends_at": None,
        "threshold": alerts.threshold,
        "channels": (),
        "spacing_minutes": alerts.spacing_minutes,
        "frequency_window_minutes": alerts.frequency_window_minutes,
    }


def check_slug(slug: str) -> str:
    """A slug names a campaign and the file of its page. Raises UsageError."""
    if not SLUG.fullmatch(slug):
        raise UsageError(
            f"invalid campaign slug {ascii(slug)[:60]}",
            hint="use lower-case letters, digits, - and _, at most 63, no space",
        )
    if slug in RESERVED:
        raise UsageError(
            f"{slug!r} cannot be a slug: its page could not have that name", hint="choose another"
        )
    return slug


def new_campaign(slug: str, values: Mapping[str, Any], alerts: AlertSettings, *, now: datetime) -> Campaign:
    """A campaign with these values, and defaults for all others. Raises UsageError."""
    settings = {"starts_at": now, **defaults(check_slug(slug), alerts), **values}
    return check_window(Campaign(slug=slug, status=CampaignStatus.ACTIVE, created_at=now, **settings))


def changed(campaign: Campaign, values: Mapping[str, Any], *, now: datetime) -> Campaign:
    """A campaign with other settings. A completed one becomes active when its window reaches beyond now."""
    after = check_window(replace(campaign, **values))
    if after.ends_at == campaign.ends_at and "ends_at" not in values:
        return after
    after = replace(after, last_cycle_at=None)
    is_open = after.ends_at is None or after.ends_at > now
    return reopened(after) if campaign.status is CampaignStatus.COMPLETED and is_open else after


def reopened(campaign: Campaign) -> Campaign:
    """Active again, with a last cycle still to come."""
    return replace(campaign, status=CampaignStatus.ACTIVE, completed_at=None, last_cycle_at=None)


def resumed(campaign: Campaign, days: timedelta | None, *, now: datetime) -> Campaign:
    """A campaign that continues for some days from now, or to its end. Raises UsageError when that is past."""
    if days is not None:
        campaign = replace(campaign, ends_at=(now + days).replace(microsecond=0))
    if campaign.ends_at is not None and campaign.ends_at <= now:
        raise UsageError(
            f"the window of {campaign.slug!r} ended at {campaign.ends_at:%Y-%m-%d %H:%M} UTC",
            hint=f"give a number of days: socap campaign resume {campaign.slug} --days N",
        )
    if campaign.status is CampaignStatus.COMPLETED or days is not None:
        return reopened(campaign)
    return replace(campaign, status=CampaignStatus.ACTIVE)


def with_status(campaign: Campaign, status: CampaignStatus, *, now: datetime) -> Campaign:
    """Paused or completed. Raises SocapError for pausing a completed campaign."""
    if campaign.status is CampaignStatus.COMPLETED and status is not CampaignStatus.COMPLETED:
        raise SocapError(
            f"campaign {campaign.slug!r} is completed",
            hint=f"resume it first: socap campaign resume {campaign.slug}",
        )
    completed_at = now if status is CampaignStatus.COMPLETED else None
    return replace(campaign, status=status, completed_at=campaign.completed_at or completed_at)


def check_window(campaign: Campaign) -> Campaign:
    """Raises UsageError when the window ends before it starts, or after 2199."""
    if campaign.ends_at is not None and campaign.ends_at <= campaign.starts_at:
        raise UsageError(
            f"the window ends at {campaign.ends_at:%Y-%m-%d %H:%M} before it starts",
            hint="check --start and --end",
        )
    if campaign.ends_at is not None and campaign.ends_at >= LATEST:
        raise UsageError(f"the window ends in {campaign.ends_at:%Y}", hint="use an end until 2199")
    return campaign


def read_document(content: str, name: str) -> Document:
    """Raises UsageError that names the line or the key."""
    given: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    tree = parse_toml(content, name)
    slug = tree.pop("slug", None)
    if slug is not None and not isinstance(slug, str):
        raise UsageError(f"{name}: slug must be a text")
    for key, value in tree.items():
        if is_list_of_tweets(key, value):
            lists[key] = value
        elif key == "client" and isinstance(value, dict):
            given.update({_known(inner, CLIENT, f"{name}: client"): entry for inner, entry in value.items()})
        else:
            given[_known(key, {**{known: known for known in FIELDS}, DAYS: DAYS}, name)] = value
    return Document(slug, given, tuple(lines_of(tree_rows(lists, content, is_list_of_tweets))), bool(lists))


def _known(key: str, keys: Mapping[str, str], place: str) -> str:
    if found := keys.get(key.replace("-", "_").lower()):
        return found
    raise UsageError(
        f"{place}: unknown setting {key[:60]!r}",
        hint=f"use one of {', '.join(keys)}; for an example: socap campaign export SLUG",
    )


def write_document(campaign: Campaign, tweets: Iterable[CampaignTweet]) -> str:
    """A campaign as the file that `read_document` reads, without secret addresses."""
    lines = [f"slug = {_toml(campaign.slug)}"]
    for key, field in FIELDS.items():
        value = getattr(campaign, field)
        if key == "channels" and value != tuple(map(public_spelling, value)):
            lines.append("# channels contain a secret address and are not written here")
        elif key == "slack_webhook":
            lines += ["# slack_webhook is set and not written here"] if value else []
        elif value not in (None, ()) and key not in CLIENT.values():
            lines.append(f"{key} = {_toml(value)}")
    client = {key: getattr(campaign, field) for key, field in CLIENT.items()}
    if any(client.values()):
        lines += ["", "[client]", *(f"{key} = {_toml(value)}" for key, value in client.items() if value)]
    for tweet in tweets:
        lines += ["", "[[tweets]]", f"url = {_toml(tweet.url)}", f"category = {_toml(tweet.category.short)}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """JSON's texts, numbers and lists are TOML's as well."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def differences(before: Campaign | None, after: Campaign) -> list[Difference]:
    """The settings in which two states of a campaign differ."""
    changes = []
    for key, field in FIELDS.items():
        old, new = (getattr(before, field) if before else None), getattr(after, field)
        if old == new or (before is None and new in (None, ())):
            continue
        if key == "channels":
            old, new = (tuple(map(public_spelling, value or ())) for value in (old, new))
        elif key == "slack_webhook":
            old, new = ("set" if value else value for value in (old, new))
        changes.append(Difference(key, old, new))
    if before is not None and before.status is not after.status:
        changes.append(Difference("status", before.status.value, after.status.value))
    return changes
