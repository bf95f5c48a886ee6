"""TOML and environment become one frozen value; whatever is wrong is named by file, section and key.

The environment wins over the file. Every setting is `SOCAP_<SECTION>__<KEY>`; the plan's own names
(`MONGODB_URI`, `TWITTER_API_KEY`, ...) are honoured as they are, and `<NAME>_FILE` reads the value from
a file, so that a secret need not stand in an environment.
"""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

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


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list in TOML, comma-separated in the environment."""


HomePath = Annotated[Path, AfterValidator(lambda path: path.expanduser())]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Database(Section):
    uri: SecretStr | None = None
    patience: float = Field(60.0, ge=0)
    """Seconds for which a run waits for a database that went away; an election takes about 12."""
    name: str = Field("socap", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    following_index: str = "following_index"
    important_people: str = "important_people"


class Provider(Section):
    api_key: SecretStr | None = None
    url: str = Field("https://api.twitterapi.io", pattern=r"^https?://")
    rate: float = Field(3.0, ge=0)
    """Requests a second for each endpoint, all processes together; 0 sets no limit of ours."""
    batch: int = Field(50, ge=1, le=50)
    """Tweets in one metrics request."""
    timeout: float = Field(30.0, gt=0)
    price_tweet: float = Field(15.0, ge=0)
    price_user: float = Field(18.0, ge=0)
    price_minimum: float = Field(15.0, ge=0)
    """Credits for a tweet, for an account in a list, and the least that a request costs."""
    usd_per_credit: float = Field(0.00001, ge=0)


class Worker(Section):
    pool_size: int = Field(10, ge=1, le=200)
    concurrency: int = Field(5, ge=1, le=200)
    max_runtime: float = Field(1500.0, gt=0)
    """Seconds; below the interval between two cycles."""
    max_attempts: int = Field(5, ge=1)
    lease: float = Field(60.0, ge=1)

    @property
    def at_once(self) -> int:
        """Requests at a time in one process: the plan's workers times the jobs of each."""
        return self.pool_size * self.concurrency


class Collection(Section):
    boundary_run: int = Field(20, ge=1)
    """Items in a row, stored by a completed pass, that prove that a pass met what is known."""
    verify_every_hours: float = Field(24.0, gt=0)
    tolerance: float = Field(0.02, ge=0, le=1)
    """Part of the counter by which collected and counter may disagree before a full reading."""
    pages_per_job: int = Field(50, ge=1)
    """A pass of more pages gives its seat to others in between."""
    gap_after_minutes: float = Field(45.0, gt=0)
    """A tweet that was not read for longer than this has a gap."""
    empty_pages: int = Field(3, ge=0)
    """Empty pages in a row, each with a next cursor, before a list counts as ended."""


class Alerts(Section):
    slack_webhook: SecretStr | None = None
    email_smtp: SecretStr | None = None
    email_from: str = "socap@localhost"
    email_to: Words = ()
    webhook_hosts: Words = ("hooks.slack.com",)
    threshold: float = Field(10.0, ge=0)
    spacing_minutes: int = Field(20, ge=0)
    frequency_window_minutes: int = Field(30, ge=0)
    resend_unknown: bool = True
    max_attempts: int = Field(8, ge=1)
    timeout: float = Field(15.0, gt=0)


class Budget(Section):
    """Credits a day; 0 sets no limit. From the soft budget on only counters are read, from the hard one nothing."""

    day_soft: float = Field(0.0, ge=0)
    day_hard: float = Field(0.0, ge=0)
    campaign_soft: float = Field(0.0, ge=0)
    campaign_hard: float = Field(0.0, ge=0)


class Report(Section):
    out: HomePath = Path("socap-report")
    top: int = Field(500, ge=1)
    """Engagements listed on a page, the most important first."""


class Settings(BaseSettings):
    """Everything that an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    data_dir: HomePath = Field(default_factory=lambda: default_data_dir())
    database: Database = Database()
    provider: Provider = Provider()
    worker: Worker = Worker()
    collection: Collection = Collection()
    budget: Budget = Budget()
    alerts: Alerts = Alerts()
    report: Report = Report()
    file: Path | None = None
    """The configuration file that was read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the name is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return _PlanNames(settings_cls), env_settings, init_settings


class _PlanNames(PydanticBaseSettingsSource):
    """The plan's names, and `_FILE` for every name."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in os.environ.items():
            if name.endswith("_FILE") and (path := _path_of(name.removesuffix("_FILE"))):
                _put(found, path, _read_secret(name, value))
        for name, path in PLAN_NAMES.items():
            if os.environ.get(name):
                _put(found, path, os.environ[name])
        return found


def _path_of(name: str) -> tuple[str, ...] | None:
    if name in PLAN_NAMES:
        return PLAN_NAMES[name]
    if name.startswith(PREFIX) and "__" in name:
        return tuple(name.removeprefix(PREFIX).lower().split("__"))
    return None


def _put(tree: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"{name}: cannot read {path}: {error.strerror}", hint="name a readable file or unset it"
        ) from error


def default_data_dir() -> Path:
    """Where the platform keeps an application's data."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "socap"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "socap"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "socap"


def find_file(named: Path | None) -> Path | None:
    """The configuration file: named, `SOCAP_CONFIG`, `./config.toml`, then the user's own."""
    if named is None and (from_environment := os.environ.get("SOCAP_CONFIG")):
        named = Path(from_environment)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"no configuration file at {named}", hint="write one with: socap init")
        return named
    user_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return next((p for p in (Path("config.toml"), user_home / "socap" / "config.toml") if p.is_file()), None)


def load(named: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """Read file and environment. Raises ConfigError that names the wrong key and its place."""
    path = find_file(named)
    tree = _read_toml(path) if path else {}
    try:
        settings = Settings(**{**tree, "file": path})
    except ValidationError as error:
        raise _explain(error, path) from None
    return settings.model_copy(update={"data_dir": data_dir}) if data_dir else settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path}: {error}", hint="mend that line; config.example.toml shows every key"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _explain(error: ValidationError, path: Path | None) -> ConfigError:
    first = error.errors(include_input=False, include_url=False)[0]
    keys = tuple(str(part) for part in first["loc"] if not isinstance(part, int))
    place = _source_of(keys, path)
    known: Literal["yes"] | None = None if first["type"] == "extra_forbidden" else "yes"
    said = first["msg"][:1].lower() + first["msg"][1:] if known else "no such setting"
    return ConfigError(f"{place}: {said}", hint="config.example.toml shows every key with its default")


def _source_of(keys: tuple[str, ...], path: Path | None) -> str:
    names = [name for name, target in PLAN_NAMES.items() if target == keys]
    names.append(PREFIX + "__".join(keys).upper())
    for name in names:
        for spelling in (name, f"{name}_FILE"):
            if spelling in os.environ:
                return f"environment variable {spelling}"
    dotted = f"[{keys[0]}] {'.'.join(keys[1:])}" if len(keys) > 1 else keys[0] if keys else "?"
    return f"{path or 'configuration'}: {dotted}"
