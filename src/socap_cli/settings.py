"""Settings: the sections with their defaults, read from the environment and one TOML file by pydantic-settings.

The environment wins over the file. Every setting is `SOCAP_<SECTION>__<KEY>`; those in PLAN_NAMES have a name of their
own as well, and `<NAME>_FILE` reads a value from a file. An error names the variable, or the file, section and key, and
never repeats a value.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from socap_cli.errors import ConfigError
from socap_cli.model.message import parse_digest, parse_quiet_hours, parse_receiver
from socap_cli.text import secrets_of

Place = tuple[str, ...]
"""Section and key, or the key of a setting outside the sections."""
PLAN_NAMES: dict[str, Place] = {
    "MONGODB_URI": ("database", "uri"),
    "TWITTER_API_KEY": ("provider", "api_key"),
    "TWITTER_API_URL": ("provider", "url"),
    "SOCAP_WORKER_CONCURRENCY": ("worker", "concurrency"),
    "SOCAP_WORKER_POOL_SIZE": ("worker", "pool_size"),
    "SOCAP_ALERT_SLACK_WEBHOOK": ("alerts", "slack_webhook"),
    "SOCAP_ALERT_EMAIL_SMTP": ("alerts", "email_smtp"),
}
SENT_TO: dict[Place, Place] = {
    ("provider", "url"): ("provider", "api_key"),
    ("provider", "name"): ("provider", "api_key"),
    ("alerts", "webhook_hosts"): ("alerts", "slack_webhook"),
    ("alerts", "webhooks"): ("alerts", "webhook_secret"),
}
"""Each address with the secret that is sent there. A database's URI and a mail server's URL hold their own."""
FILE_NAME = "socap.toml"
UNREADABLE = "name a readable file; socap init writes a configuration"
SEE_EXAMPLE = "config.example.toml shows every key with its default"
DEFAULT_DATABASE = "socap"
SERVERS_OWN_DATABASES = frozenset({"admin", "config", "local"})
SECRET_BYTES, CONFIG_BYTES = 64 * 1024, 1024 * 1024
OFFICE_DOMAINS = ("localhost", "local", "test")
RECEIVER = re.compile(r"\S*,digest=daily\s+[0-9]\S*(?:\s+(?![a-z][a-z0-9_-]*(?:[=,\s]|$))\S+)?|\S+")
"""One of several recipients in a line; the hour and zone of a daily digest follow after blanks."""
DAY = 86_400.0
YEAR = 365 * DAY
MINUTES_OF_A_YEAR = 525_600


def check_text(value: str) -> str:
    """One printable line. Raises ValueError, which does not repeat it."""
    if not value.isprintable():
        raise ValueError("holds a line break or another character that cannot be printed")
    return value


def check_url(value: str, *schemes: str) -> str:
    """A URL of one of these schemes that names a host. Raises ValueError, which does not repeat it."""
    if " " in check_text(value):
        raise ValueError("holds a blank")
    scheme, mark, _ = value.partition("://")
    if not mark or scheme.lower() not in schemes:
        raise ValueError(f"should begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    try:
        parts = urlsplit(value)
        is_valid = parts.port is None or bool(parts.port + 1)  # reading it may raise
    except ValueError:
        is_valid = False
    if not is_valid or not parts.hostname or not is_host(parts.hostname):
        raise ValueError("is not a valid URL: check its host and port")
    return value


def is_host(host: str) -> bool:
    """Whether a host can be called so: an IPv6 address, or a name without an empty or overlong label."""
    try:
        return ":" in host or bool(host.rstrip(".").encode("idna"))
    except UnicodeError:
        return False


def _mongodb(value: str) -> None:
    if not check_text(value).startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("should begin with mongodb:// or mongodb+srv://")


def _ascii(value: str) -> None:
    if not check_text(value).isascii() or " " in value:
        raise ValueError("holds a blank or a character that is not ASCII")


def _collection(value: str) -> str:
    if value.startswith(("system.", ".")) or value.endswith(".") or "$" in value:
        raise ValueError("is not a valid collection name")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(check_url(value, "http", "https"))
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("should hold no password, question mark or #")
    return value


def _path(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError("holds a NUL character")
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, but this home folder does not exist") from None


def _host_and_port(value: str) -> str:
    if "/" in value or "@" in value:
        raise ValueError("should be hosts, like hooks.slack.com or 127.0.0.1:8080")
    check_url(f"https://{value}", "https")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(check_text(value))
    except (KeyError, OSError, ValueError):
        raise ValueError("is not a time zone of this machine; write it like Europe/Berlin") from None
    return value


@dataclass(frozen=True, slots=True)
class MailAddress:
    name: str
    local_part: str
    domain: str
    """In its ASCII form."""

    @property
    def address(self) -> str:
        """As a mail server takes it."""
        return f"{self.local_part}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server with that extension can take it."""
        return not self.local_part.isascii()


def parse_address(text: str, *, may_have_name: bool = True) -> MailAddress:
    """`name@host` or `Name <name@host>`. Raises ValueError that says what is wrong, without the address."""
    import email_validator  # only where there is an address

    for name in set(OFFICE_DOMAINS) & set(email_validator.SPECIAL_USE_DOMAIN_NAMES):
        email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(name)  # the documented way to accept them
    try:
        valid = email_validator.validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            allow_display_name=may_have_name,
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {str(error).rstrip('.')}") from None
    except (UnicodeError, IndexError, RecursionError):
        raise ValueError("is not an e-mail address") from None
    return MailAddress(valid.display_name or "", valid.local_part, valid.ascii_domain or valid.domain)


def check_address(text: str) -> str:
    """A bare mail address in its usual spelling. Raises ValueError."""
    return parse_address(text, may_have_name=False).address


def _secret(check: Callable[[str], object]) -> AfterValidator:
    """Checks the text of a secret, which stays one."""

    def validate(value: SecretStr) -> SecretStr:
        check(value.get_secret_value())
        return value

    return AfterValidator(validate)


def _if_text(split: Callable[[str], object]) -> BeforeValidator:
    """Splits a variable's text; what TOML gives as a list stays."""
    return BeforeValidator(lambda value: split(value) if isinstance(value, str) else value)


Stripped = _if_text(lambda text: text.strip() or None)
AtCommas = _if_text(lambda text: [part.strip() for part in text.split(",") if part.strip()])
AtBlanks = _if_text(str.split)
Text = Annotated[str, AfterValidator(check_text)]
CollectionName = Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(_collection)]
HomePath = Annotated[Path, AfterValidator(_path)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
DigestText = Annotated[str, AfterValidator(lambda text: str(parse_digest(check_text(text))))]
QuietHoursText = Annotated[str, AfterValidator(lambda text: str(parse_quiet_hours(check_text(text))))]
BaseUrl = Annotated[Text, AfterValidator(_base_url)]
Hosts = Annotated[tuple[Annotated[Text, AfterValidator(_host_and_port)], ...], AtCommas]
MailSender = Annotated[Text, AfterValidator(lambda text: parse_address(text) and text.strip())]
MailAddresses = Annotated[tuple[Annotated[Text, AfterValidator(check_address)], ...], AtCommas]
MongoUri = Annotated[SecretStr, _secret(_mongodb)]
ApiKey = Annotated[SecretStr, _secret(_ascii)]
SmtpUrl = Annotated[SecretStr, _secret(lambda text: check_url(text, "smtp", "smtps"))]
WebhookUrl = Annotated[SecretStr, _secret(lambda text: _ascii(check_url(text, "http", "https")))]
WebhookUrls = Annotated[tuple[WebhookUrl, ...], AtBlanks]
SecretText = Annotated[SecretStr, _secret(check_text)]
SecretWords = Annotated[tuple[SecretText, ...], AtBlanks]
Receiver = Annotated[SecretStr, _secret(lambda text: parse_receiver(check_text(text)))]
Receivers = Annotated[tuple[Receiver, ...], _if_text(RECEIVER.findall)]
Rate = Literal["auto"] | Annotated[float, Field(ge=0, le=10_000)]
Credits = Annotated[float, Field(ge=0, le=1e15)]


def secret(value: SecretStr | None) -> str | None:
    """A secret's text; None when it is not set."""
    return value.get_secret_value().strip() or None if value else None


def _database_in_uri(values: dict[str, Any]) -> str:
    """The database that MONGODB_URI names; the server's own ones hold users and settings, not campaigns."""
    uri = secret(values.get("uri"))
    name = unquote(urlsplit(uri).path.strip("/")) if uri else ""
    return DEFAULT_DATABASE if not name or name in SERVERS_OWN_DATABASES else name


class Section(BaseModel):
    """Frozen; an unknown key, `nan` and `inf` are refused. The keys are described in config.example.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DatabaseSettings(Section):
    uri: Annotated[MongoUri | None, Stripped] = None
    patience: float = Field(60.0, ge=0, le=DAY)
    autostart: bool = True
    name: Text = Field(default_factory=_database_in_uri, pattern=r"^[A-Za-z0-9_-]{1,60}$")
    following_index: CollectionName = "following_index"
    important_people: CollectionName = "important_people"


class ProviderSettings(Section):
    """What is not set is the provider's own."""

    name: Text = "twitterapi.io"
    api_key: Annotated[ApiKey | None, Stripped] = None
    url: BaseUrl | None = None
    rate: Rate = "auto"
    batch: int | None = Field(None, ge=1, le=100)
    timeout: float = Field(30.0, gt=0, le=3600)
    patience: float = Field(120.0, gt=0, le=DAY)
    price_tweet: Credits | None = None
    price_user: Credits | None = None
    price_minimum: Credits | None = None
    bills_once_a_day: bool = True
    bills_authors: bool = True
    usd_per_credit: float = Field(0.00001, ge=0, le=1e6)


class WorkerSettings(Section):
    pool_size: int = Field(10, ge=1, le=200)
    concurrency: int = Field(5, ge=1, le=200)
    max_runtime: float = Field(1500.0, gt=0, le=YEAR)
    max_attempts: int = Field(5, ge=1, le=1000)
    lease: float = Field(60.0, ge=1, le=DAY)

    @property
    def max_in_flight(self) -> int:
        """Requests at a time in one process: the plan's workers times the jobs of each."""
        return self.pool_size * self.concurrency


class CollectionSettings(Section):
    boundary_run: int = Field(20, ge=1, le=10_000)
    verify_every_hours: float = Field(24.0, gt=0, le=YEAR / 3600)
    tolerance: float = Field(0.02, ge=0, le=1)
    pages_per_job: int = Field(50, ge=1, le=100_000)
    long_list: int = Field(200, ge=10, le=10_000_000)
    gap_after_minutes: float = Field(45.0, gt=0, le=MINUTES_OF_A_YEAR)
    cadence: Literal["fixed", "adaptive"] = "fixed"
    hour_worth: float = Field(1000.0, ge=0, le=1e9)
    empty_pages: int = Field(3, ge=0, le=1000)


class AlertSettings(Section):
    slack_webhook: Annotated[WebhookUrl | None, Stripped] = None
    email_smtp: Annotated[SmtpUrl | None, Stripped] = None
    email_from: MailSender = "socap@localhost"
    email_to: MailAddresses = ()
    webhooks: WebhookUrls = ()
    webhook_secret: Annotated[SecretText | None, Stripped] = None
    apprise: SecretWords = ()
    to: Receivers = ()
    webhook_hosts: Hosts = ("hooks.slack.com",)
    templates: HomePath | None = None
    digest: DigestText = "off"
    digest_after: int = Field(10, ge=1, le=10_000)
    quiet_hours: Annotated[QuietHoursText | None, Stripped] = None
    threshold: float = Field(10.0, ge=0, le=1e12)
    spacing_minutes: int = Field(20, ge=0, le=MINUTES_OF_A_YEAR)
    frequency_window_minutes: int = Field(30, ge=0, le=MINUTES_OF_A_YEAR)
    resend_unknown: bool = True
    max_attempts: int = Field(20, ge=1, le=1000)
    timeout: float = Field(15.0, gt=0, le=3600)


class BudgetSettings(Section):
    """Credits a day; 0 sets no limit. Above the soft budget only counters are read, above the hard one nothing."""

    day_soft: Credits = 0.0
    day_hard: Credits = 0.0
    campaign_soft: Credits = 0.0
    campaign_hard: Credits = 0.0


class ImportanceSettings(Section):
    """How the index of followings is built, and by which rules accounts are categorized."""

    categories: HomePath | None = None
    followings_limit: int = Field(5000, ge=1, le=10_000_000)
    refresh_after_days: float = Field(7.0, ge=0, le=3650)
    expire_after_days: float = Field(90.0, gt=0, le=3650)


class ReportSettings(Section):
    """Pages and the mail edition."""

    out: HomePath = Path("socap-report")
    edition: Literal["client", "operator"] = "client"
    rows: int = Field(5000, ge=1, le=100_000)
    title: str = Field("", max_length=100)
    logo: HomePath | None = None
    accent: str = Field("#2f5bd7", pattern=r"^#[0-9a-fA-F]{6}$")
    timezone: TimeZone = "UTC"
    url: Annotated[BaseUrl | None, Stripped] = None
    attach: Literal["none", "html", "zip", "pdf"] = "none"


class PingSettings(Section):
    """Addresses of dead-man switches, one per command: requested when it starts and when it ends."""

    enqueue: Annotated[WebhookUrl | None, Stripped] = None
    work: Annotated[WebhookUrl | None, Stripped] = None
    alerts_send: Annotated[WebhookUrl | None, Stripped] = None
    report_render: Annotated[WebhookUrl | None, Stripped] = None
    report_send: Annotated[WebhookUrl | None, Stripped] = None
    db_backup: Annotated[WebhookUrl | None, Stripped] = None
    timeout: float = Field(5.0, gt=0, le=60)

    def address_of(self, command: str) -> str | None:
        """The switch of a command, like `alerts send`."""
        url = getattr(self, command.replace(" ", "_"), None)
        return url.get_secret_value() if isinstance(url, SecretStr) else None


class LoggingSettings(Section):
    """A log file, `logs/socap.log` in the data folder, beside what reaches stderr."""

    file: bool = False
    megabytes: float = Field(10.0, ge=0.01, le=10_000)
    files: int = Field(5, ge=1, le=1000)


def default_data_dir() -> Path:
    """Where the platform keeps an application's data. Raises ConfigError when there is no home folder."""
    try:
        return platformdirs.user_data_path("socap")
    except RuntimeError:
        raise ConfigError(
            "no home folder, so no place for data", hint="set HOME, SOCAP_DATA_DIR or --data-dir"
        ) from None


_sources: ContextVar[tuple[PydanticBaseSettingsSource, ...]] = ContextVar("sources", default=())
"""What `load` reads; without it settings are what they are built with, and their defaults."""


class Settings(BaseSettings):
    """Everything that an operator can set."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="SOCAP_", env_nested_delimiter="__", enable_decoding=False
    )

    data_dir: HomePath = Field(default_factory=default_data_dir)
    database: DatabaseSettings = DatabaseSettings()
    provider: ProviderSettings = ProviderSettings()
    worker: WorkerSettings = WorkerSettings()
    collection: CollectionSettings = CollectionSettings()
    budget: BudgetSettings = BudgetSettings()
    alerts: AlertSettings = AlertSettings()
    importance: ImportanceSettings = ImportanceSettings()
    report: ReportSettings = ReportSettings()
    pings: PingSettings = PingSettings()
    logging: LoggingSettings = LoggingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the library's signature)
        init_settings: PydanticBaseSettingsSource,
        *_others: Any,
        **_more: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the settings are built with, then the sources of `load`."""
        return (init_settings, *_sources.get())


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
PLACES: tuple[Place, ...] = (
    ("data_dir",),
    *((name, key) for name, section in SECTIONS.items() for key in section.model_fields),
)
VARIABLES = {"SOCAP_" + "__".join(place).upper(): place for place in PLACES} | PLAN_NAMES


class Variables(EnvSettingsSource):
    """The environment, with the plan's names and `_FILE`. Raises ConfigError for a SOCAP_ name that sets nothing."""

    def __init__(self) -> None:
        super().__init__(Settings)
        self.names: dict[Place, str] = {}
        values: dict[str, str] = {}
        # Later wins: the plan's name over the long one, a value over its file.
        for name in sorted(
            filter(os.environ.get, os.environ),
            key=lambda name: (name in PLAN_NAMES, not name.endswith("_FILE"), name),
        ):
            upper, value = name.upper() if name.startswith("SOCAP_") else name, os.environ[name]
            if upper not in VARIABLES and (upper := upper.removesuffix("_FILE")) in VARIABLES:
                # The path is not repeated in an error: it may be the secret itself.
                value = _read_text(Path(value), SECRET_BYTES, f"the file of {name}").strip()
            if upper in VARIABLES:
                values["socap_" + "__".join(VARIABLES[upper])] = value
                self.names[VARIABLES[upper]] = name
            elif name.startswith("SOCAP_") and name != "SOCAP_CONFIG":
                hint = "unset it; settings are SOCAP_<SECTION>__<KEY>, as in config.example.toml"
                raise ConfigError(
                    f"environment variable {name}: no such setting", hint=_suggestion(upper, VARIABLES) + hint
                )
        self.env_vars = values


def _suggestion(name: str, known: Iterable[str]) -> str:
    similar = difflib.get_close_matches(name, known, 1)
    return f"did you mean {similar[0]}? " if similar else ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, and where they come from."""

    settings: Settings
    file: Path | None = None
    """The configuration file that was read."""
    origins: Mapping[Place, str] = field(default_factory=dict)
    """Where each setting that is not a default comes from: the variable, the file or the option."""

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.file.parent if self.file else Path()


def load(named: Path | None = None, *, data_dir: Path | None = None) -> Configuration:
    """Read file and environment. Raises ConfigError that names the wrong setting and its place."""
    file = find_file(named)
    tree = _read_toml(file) if file else {}
    variables = Variables()
    token = _sources.set((variables, InitSettingsSource(Settings, tree)))
    try:
        settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        raise _explained(error, variables.names, file) from None
    finally:
        _sources.reset(token)
    if file == Path(FILE_NAME) and not named_file(named):
        _refuse_untrusted_addresses(settings, tree, variables.names)
    origins: dict[Place, str] = {}
    for section, keys in tree.items():
        places = [(section, key) for key in keys] if isinstance(keys, dict) else [(section,)]
        origins |= dict.fromkeys(places, str(file))
    origins |= variables.names
    if data_dir is not None:
        origins["data_dir",] = "--data-dir"
    return Configuration(settings, file, origins)


def named_file(named: Path | None) -> Path | None:
    """The file of --config or SOCAP_CONFIG, whether it exists or not."""
    return named or (Path(os.environ["SOCAP_CONFIG"]) if os.environ.get("SOCAP_CONFIG") else None)


def find_file(named: Path | None) -> Path | None:
    """The configuration file: the named one, that of SOCAP_CONFIG, `./socap.toml`, or the user's own."""
    if path := named_file(named):
        return path
    if os.path.lexists(FILE_NAME):
        return Path(FILE_NAME)
    try:
        own = platformdirs.user_config_path("socap") / FILE_NAME
    except RuntimeError:  # no home folder
        return None
    return own if os.path.lexists(own) else None


def texts_to_mask(settings: Settings) -> tuple[str, ...]:
    """Every text of the settings that nothing may print or log: keys, passwords, and addresses that are secrets."""
    return tuple(dict.fromkeys(part for text in secret_texts(settings) for part in secrets_of(text)))


def secret_texts(value: object) -> Iterator[str]:
    """The secrets in a setting, a section or all settings."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value().strip()
    elif isinstance(value, (BaseModel, tuple)):
        for part in value:
            yield from secret_texts(part[1] if isinstance(value, BaseModel) else part)


def _explained(error: ValidationError, names: Mapping[Place, str], file: Path | None) -> ConfigError:
    """The first setting that is wrong, with everything that is wrong with it."""
    reasons: dict[Place, dict[str, None]] = {}
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        # What pydantic adds, the index of an item or the type of a union, is not part of a setting's name.
        parts = tuple(str(part) for part in detail["loc"] if not isinstance(part, int))
        place = next((parts[:end] for end in range(1, len(parts)) if parts[:end] in PLACES), parts)
        text = detail["msg"].removeprefix("Value error, ")
        instead = {"extra_forbidden": "no such setting", "model_type": "a section, not a setting"}
        reasons.setdefault(place, {})[instead.get(detail["type"], text[:1].lower() + text[1:])] = None
    place = next(iter(reasons))
    section, key = place if len(place) == 2 else ("", "")
    known = SECTIONS[section].model_fields if section in SECTIONS else {}
    suggestion = _suggestion(key, known) if "no such setting" in reasons[place] else ""
    dotted = f"[{place[0]}] {'.'.join(place[1:])}" if len(place) > 1 else place[0] if place else "?"
    source = (
        f"environment variable {names[place]}" if place in names else f"{file or 'configuration'}: {dotted}"
    )
    return ConfigError(f"{source}: {', or '.join(reasons[place])}", hint=suggestion + SEE_EXAMPLE)


def _refuse_untrusted_addresses(
    settings: Settings, tree: Mapping[str, Any], names: Mapping[Place, str]
) -> None:
    """A secret from elsewhere is never sent to an address that a file in the working folder names.

    Such a file may be a stranger's. Raises ConfigError.
    """
    for (section, key), secret_place in SENT_TO.items():
        is_in_file = key in tree.get(section, {}) and (section, key) not in names
        default = getattr(SECTIONS[section](), key)
        if secret_place in names and is_in_file and getattr(getattr(settings, section), key) != default:
            other = next(name for name in reversed(VARIABLES) if VARIABLES[name] == (section, key))
            raise ConfigError(
                f"{FILE_NAME}: [{section}] {key}: a file in the working folder may not say where "
                f"{names[secret_place]} is sent",
                hint=f"if it is yours, name it: --config {FILE_NAME} or SOCAP_CONFIG; or set {other}",
            )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read_text(path, CONFIG_BYTES, str(path)))
    except (ValueError, RecursionError) as error:  # of a number with thousands of digits, too
        raise ConfigError(f"{path}: {error}", hint=f"correct that line; {SEE_EXAMPLE}") from None


def _read_text(path: Path, most_bytes: int, name: str) -> str:
    """The text of a small file. Raises ConfigError with the reason, which repeats nothing of its content."""
    try:
        with path.open("rb") as stream:
            content = stream.read(most_bytes + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8 text at byte {error.start}", hint="save it as UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read {name}: {reason}", hint=UNREADABLE) from None
    if len(content) > most_bytes:
        hint = "check that this is the file you meant"
        raise ConfigError(f"{name} is larger than {most_bytes // 1024} KiB", hint=hint)
    return text
