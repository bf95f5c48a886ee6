"""A campaign as a TOML file: read, written, compared with what is stored. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from socap_cli.campaigns.categories import is_category
from socap_cli.campaigns.settings import BY_NAME, DAYS, SETTINGS
from socap_cli.campaigns.trees import Line, read_tree, toml_tree
from socap_cli.errors import UsageError
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.receiver import public_spelling

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


def read_document(content: str, name: str) -> Document:
    """A TOML file as settings and tweets. Raises UsageError that names the key."""
    tree = toml_tree(content, name)
    given: dict[str, Any] = {}
    lists_tweets = False
    for key, value in tree.items():
        if isinstance(value, list) and (key == "tweets" or is_category(key)):
            lists_tweets = True
        elif key == "client" and isinstance(value, dict):
            given.update({_known(inner, CLIENT, f"{name}: client"): entry for inner, entry in value.items()})
        elif key != "slug":
            given[_known(key, {**{n: n for n in BY_NAME}, DAYS: DAYS}, name)] = value
    slug = tree.get("slug")
    if slug is not None and not isinstance(slug, str):
        raise UsageError(f"{name}: slug is no text")
    return Document(slug, given, tuple(read_tree(tree, content)), lists_tweets)


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
