"""The environment as a tree of settings: `SOCAP_<SECTION>__<KEY>`, the plan's own names, and `_FILE` for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from socap_cli.config.places import read_limited, shown
from socap_cli.errors import ConfigError

PLAN_NAMES = {
    "MONGODB_URI": ("database", "uri"),
    "TWITTER_API_KEY": ("provider", "api_key"),
    "TWITTER_API_URL": ("provider", "url"),
    "SOCAP_WORKER_CONCURRENCY": ("worker", "concurrency"),
    "SOCAP_WORKER_POOL_SIZE": ("worker", "pool_size"),
    "SOCAP_ALERT_SLACK_WEBHOOK": ("alerts", "slack_webhook"),
    "SOCAP_ALERT_EMAIL_SMTP": ("alerts", "email_smtp"),
}
PREFIX = "SOCAP_"
FILE_SUFFIX = "_FILE"
NO_SETTINGS = frozenset({"SOCAP_CONFIG"})
MOST_BYTES = 64 * 1024
"""A secret's file."""
Place = tuple[str, ...]


class Variables:
    """What the environment sets, and which variable set it. Raises ConfigError for a name that sets nothing."""

    def __init__(self, settings: type[BaseModel], environment: Mapping[str, str] | None = None) -> None:
        self.known, self._sections = _places(settings)
        self.tree: dict[str, Any] = {}
        self.names: dict[Place, str] = {}
        given = dict(os.environ if environment is None else environment)
        # A plan's name counts more than the long one, a value more than its file: written later, it stays.
        for name in sorted(
            given, key=lambda name: (name in PLAN_NAMES, not name.endswith(FILE_SUFFIX), name)
        ):
            if given[name] and (place := self._place_of(name)):
                value = _content(name, given[name]) if self._is_file(name) else given[name]
                self._put(place, name, value)

    def _is_file(self, name: str) -> bool:
        return name.endswith(FILE_SUFFIX) and name not in PLAN_NAMES and _place(name) not in self.known

    def _place_of(self, name: str) -> Place | None:
        """Where a variable belongs; None for what is none of ours."""
        base = name.removesuffix(FILE_SUFFIX) if self._is_file(name) else name
        if base in PLAN_NAMES:
            return PLAN_NAMES[base]
        if not name.startswith(PREFIX) or name in NO_SETTINGS:
            return None
        place = _place(base)
        if place in self.known:
            return place
        printed = name.encode("utf-8", "backslashreplace").decode()
        if place in self._sections:
            raise ConfigError(
                f"environment variable {printed}: a section, not a setting", hint=f"set {printed}__<KEY>"
            )
        raise ConfigError(
            f"environment variable {printed}: no such setting",
            hint="unset it; settings are SOCAP_<SECTION>__<KEY>, as in config.example.toml",
        )

    def _put(self, place: Place, name: str, value: str) -> None:
        tree = self.tree
        for part in place[:-1]:
            tree = tree.setdefault(part, {})
        tree[place[-1]] = value
        self.names[place] = name


def _place(name: str) -> Place:
    return tuple(name.removeprefix(PREFIX).lower().split("__"))


def _places(settings: type[BaseModel], under: Place = ()) -> tuple[frozenset[Place], frozenset[Place]]:
    """Every key and every section of the settings."""
    keys: set[Place] = set()
    sections: set[Place] = set()
    for name, field in settings.model_fields.items():
        place = (*under, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner, deeper = _places(field.annotation, place)
            keys |= inner
            sections |= deeper | {place}
        else:
            keys.add(place)
    return frozenset(keys), frozenset(sections)


def _content(name: str, path: str) -> str:
    """What a `_FILE` holds, without blanks around it. The path is not repeated: it may be the secret itself."""
    try:
        return read_limited(Path(path), MOST_BYTES).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"environment variable {name}: its file is not UTF-8 text") from None
    except ConfigError as error:
        said = error.message.replace(shown(Path(path)), "its file")
        raise ConfigError(
            f"environment variable {name}: {said}", hint="name a readable file, or unset it"
        ) from None
