"""TOML and environment become one frozen value; whatever is wrong is named by file, section and key.

The environment wins over the file. A file that merely lies in the working folder may be a stranger's (a shared
folder, an unpacked archive): an address in it never gets a key that comes from elsewhere.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from socap_cli.config.places import Found, find_file, read_limited
from socap_cli.config.sections import Section, Settings
from socap_cli.config.variables import PLAN_NAMES, PREFIX, Place, Variables
from socap_cli.errors import ConfigError

MOST_BYTES = 1024 * 1024
SEE_EXAMPLE = "config.example.toml shows every key with its default"
GOES_TO: dict[Place, Place] = {
    ("provider", "url"): ("provider", "api_key"),
    ("provider", "name"): ("provider", "api_key"),
    ("alerts", "webhook_hosts"): ("alerts", "slack_webhook"),
    ("alerts", "webhooks"): ("alerts", "webhook_secret"),
}
"""Each address with the key that is sent there. A database's URI and a mail server's hold their own."""


def load(named: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """Read file and environment. Raises ConfigError that names the wrong key and its place."""
    found = find_file(named)
    written = _read_toml(found.path) if found else {}
    variables = Variables(Settings)
    tree = _merged(written, variables.tree)
    if data_dir is not None:
        tree["data_dir"] = data_dir
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise _explain(error, variables, found) from None
    if found and not found.trusted:
        _refuse_addresses_of_strangers(settings, written, variables, found)
    return settings.read_from(found.path if found else None)


def secrets_in(path: Path) -> list[str]:
    """The keys of a configuration file that hold secrets, as `section.key`. Raises ConfigError."""
    return [
        f"{section}.{key}"
        for section, tree in _read_toml(path).items()
        if isinstance(tree, dict)
        for key in tree
        if "Secret" in repr(_field(section, key))
    ]


def _field(section: str, key: str) -> object:
    """How a setting is declared."""
    fields = getattr(Settings.model_fields[section].annotation, "model_fields", {})
    return fields[key].annotation if key in fields else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_limited(path, MOST_BYTES).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}", hint="save it as UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep", hint=SEE_EXAMPLE) from None
    except ValueError as error:  # of a number with thousands of digits, too
        raise ConfigError(f"{path}: {error}", hint=f"mend that line; {SEE_EXAMPLE}") from None


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[name] = _merged(below, value)
        else:
            merged[name] = value
    return merged


def _explain(error: ValidationError, variables: Variables, found: Found | None) -> ConfigError:
    """The first setting that is wrong, with everything that is said of it: a line for each kind that it may be."""
    details = error.errors(include_input=False, include_url=False, include_context=False)
    place = _place_of(details[0], variables)
    said = dict.fromkeys(_said(detail) for detail in details if _place_of(detail, variables) == place)
    return ConfigError(f"{_source_of(place, variables, found)}: {', or '.join(said)}", hint=SEE_EXAMPLE)


def _place_of(detail: ErrorDetails, variables: Variables) -> Place:
    """The setting; what pydantic adds, the number of an item or one of several kinds, is none of its name."""
    names = tuple(str(part) for part in detail["loc"] if not isinstance(part, int))
    starts = (names[:length] for length in range(1, len(names)))
    return next((start for start in starts if start in variables.known), names)


def _said(detail: ErrorDetails) -> str:
    text = detail["msg"].removeprefix("Value error, ")
    instead = {"extra_forbidden": "no such setting", "model_type": "a section, not a setting"}
    return instead.get(detail["type"], text[:1].lower() + text[1:])


def _source_of(place: Place, variables: Variables, found: Found | None) -> str:
    if name := variables.names.get(place):
        return f"environment variable {name}"
    dotted = f"[{place[0]}] {'.'.join(place[1:])}" if len(place) > 1 else place[0] if place else "?"
    return f"{found.path if found else 'configuration'}: {dotted}"


def _refuse_addresses_of_strangers(
    settings: Settings, written: dict[str, Any], variables: Variables, found: Found
) -> None:
    for (section, key), secret in GOES_TO.items():
        name = variables.names.get(secret)
        here = key in written.get(section, {}) and (section, key) not in variables.names
        chosen, usual = (getattr(values, key) for values in (getattr(settings, section), _default(section)))
        if name and here and chosen != usual:
            raise ConfigError(
                f"{found.path}: [{section}] {key}: a file in the working folder may not say where {name} goes",
                hint=f"if it is yours, name it: --config {found.path} or SOCAP_CONFIG; or set "
                f"{_variable(section, key)}",
            )


def _default(section: str) -> Section:
    default: Section = Settings.model_fields[section].default
    return default


def _variable(*place: str) -> str:
    return next((name for name, at in PLAN_NAMES.items() if at == place), PREFIX + "__".join(place).upper())
