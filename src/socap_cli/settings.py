"""Settings: the sections with their defaults, read from one TOML file and the environment."""

from __future__ import annotations

import errno
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from socap_cli.errors import ConfigError
from socap_cli.model.message import parse_digest, parse_quiet_hours, parse_receiver
from socap_cli.text import secrets_of

if TYPE_CHECKING:
    from email_validator import ValidatedEmail


Rate = Literal["auto"] | Annotated[float, Field(ge=0, le=10_000)]


Credits = Annotated[float, Field(ge=0, le=1e15)]


MINUTES_OF_A_YEAR = 525_600


class Section(BaseModel):
    """Frozen; an unknown key, `nan` and `inf` are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def check_text(value: str) -> str:
    """Text of printable characters. Raises ValueError without repeating it."""
    if "\n" in value or "\r" in value:
        raise ValueError("holds more than one line")
    if not value.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return value


Text = Annotated[str, AfterValidator(check_text)]
"""One printable line."""


def _collection(value: str) -> str:
    if value.startswith(("system.", ".")) or value.endswith(".") or "$" in value:
        raise ValueError("no collection can be called so")
    return value


CollectionName = Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(_collection)]


DAY = 86_400.0


def _mongodb(value: SecretStr) -> SecretStr:
    uri = check_text(value.get_secret_value())
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("should begin with mongodb:// or mongodb+srv://")
    return value


MongoUri = Annotated[SecretStr, AfterValidator(_mongodb)]


def _strip(value: object) -> object:
    return value.strip() or None if isinstance(value, str) else value


Stripped = BeforeValidator(_strip)
"""Blanks around a secret are no part of it, and nothing but blanks is none."""


class Database(Section):
    uri: Annotated[MongoUri | None, Stripped] = None
    patience: float = Field(60.0, ge=0, le=DAY)
    """Seconds for which a run waits for a database that went away; an election takes about 12."""
    autostart: bool = True
    """Whether a command may start the embedded server; False where a unit of its own runs it."""
    name: Text = Field("socap", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    following_index: CollectionName = "following_index"
    important_people: CollectionName = "important_people"


def _api_key(value: SecretStr) -> SecretStr:
    key = check_text(value.get_secret_value())
    if not key.isascii() or " " in key:
        raise ValueError("holds a character that no key has (a blank, or one that is not ASCII)")
    return value


ApiKey = Annotated[SecretStr, AfterValidator(_api_key)]


def _base_url(value: str) -> str:
    parts = urlsplit(check_url(value, ("http", "https")))
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("should hold no password, question mark or #")
    return value


BaseUrl = Annotated[Text, AfterValidator(_base_url)]
"""An HTTP address that paths are put behind."""


class Provider(Section):
    """What is None is the provider's own."""

    name: Text = "twitterapi.io"
    """Its row in the table of providers."""
    api_key: Annotated[ApiKey | None, Stripped] = None
    url: BaseUrl | None = None
    rate: Rate = "auto"
    """Requests a second in each limit scope, all processes together; `auto` finds it, 0 sets no limit of ours."""
    batch: int | None = Field(None, ge=1, le=100)
    """Tweets in one metrics request at most."""
    timeout: float = Field(30.0, gt=0, le=3600)
    """Seconds."""
    patience: float = Field(120.0, gt=0, le=DAY)
    """Seconds after which a run ends whose provider does not answer."""
    price_tweet: Credits | None = None
    price_user: Credits | None = None
    price_minimum: Credits | None = None
    """Credits for a tweet, for an account in a list, and the least that a request costs."""
    usd_per_credit: float = Field(0.00001, ge=0, le=1e6)


YEAR = 365 * DAY


class Worker(Section):
    pool_size: int = Field(10, ge=1, le=200)
    concurrency: int = Field(5, ge=1, le=200)
    max_runtime: float = Field(1500.0, gt=0, le=YEAR)
    """Seconds; below the interval between two cycles."""
    max_attempts: int = Field(5, ge=1, le=1000)
    lease: float = Field(60.0, ge=1, le=DAY)
    """Seconds."""

    @property
    def max_in_flight(self) -> int:
        """Requests at a time in one process: the plan's workers times the jobs of each."""
        return self.pool_size * self.concurrency


class Collection(Section):
    boundary_run: int = Field(20, ge=1, le=10_000)
    """Items in a row, stored by a completed pass, that prove that a pass met what is known."""
    verify_every_hours: float = Field(24.0, gt=0, le=YEAR / 3600)
    tolerance: float = Field(0.02, ge=0, le=1)
    """Part of the counter by which collected and counter may disagree before a full pass."""
    pages_per_job: int = Field(50, ge=1, le=100_000)
    """A pass of more pages gives its thread to others in between."""
    long_list: int = Field(200, ge=10, le=10_000_000)
    """From so many items on, what is left of a list that takes times is read in windows side by side."""
    gap_after_minutes: float = Field(45.0, gt=0, le=MINUTES_OF_A_YEAR)
    """A tweet that was not read for longer than this has a gap."""
    cadence: Literal["fixed", "adaptive"] = "fixed"
    """Of campaigns that name none: every half hour, or when it pays."""
    shortest_minutes: float = Field(5.0, ge=1, le=DAY / 60)
    longest_hours: float = Field(3.0, ge=0.5, le=DAY / 1200)
    """Between which the adaptive cadence looks at a tweet."""
    hour_worth: float = Field(1000.0, ge=0, le=1e9)
    """Credits that it is worth to know of an engagement an hour earlier: more looks more often."""
    empty_pages: int = Field(3, ge=0, le=1000)
    """Empty pages in a row, each with a next cursor, before a list counts as ended."""


def _digest(value: str) -> str:
    return str(parse_digest(check_text(value)))


DigestText = Annotated[str, AfterValidator(_digest)]


def _path(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError("holds a NUL character")
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and there is no such home folder") from None


HomePath = Annotated[Path, AfterValidator(_path)]
"""A path; `~` is the home folder."""


def _host_and_port(value: str) -> str:
    if "/" in value or "@" in value:
        raise ValueError("should be hosts, like hooks.slack.com or 127.0.0.1:8080")
    check_url(f"https://{value}", ("https",))
    return value


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Hosts = Annotated[tuple[Annotated[Text, AfterValidator(_host_and_port)], ...], BeforeValidator(_split)]
"""A list in TOML, comma-separated in the environment."""


def check_address(text: str) -> str:
    """A bare address in its usual spelling. Raises ValueError."""
    return _validated(text, display_name=False).normalized


MailAddresses = Annotated[tuple[Annotated[Text, AfterValidator(check_address)], ...], BeforeValidator(_split)]


def check_sender(text: str) -> str:
    """An address with or without a name. Raises ValueError."""
    parse_address(text)
    return text.strip()


MailSender = Annotated[Text, AfterValidator(check_sender)]


def _quiet_hours(value: str) -> str:
    return str(parse_quiet_hours(check_text(value)))


QuietHoursText = Annotated[str, AfterValidator(_quiet_hours)]


def _receiver(value: SecretStr) -> SecretStr:
    parse_receiver(check_text(value.get_secret_value()))
    return value


def _split_receivers(value: object) -> object:
    return RECEIVER.findall(value) if isinstance(value, str) else value


Receivers = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_receiver)], ...], BeforeValidator(_split_receivers)
]
"""`CHANNEL=ADDRESS,min=IMPORTANCE`: the address may be a secret."""


def _secret_text(value: SecretStr) -> SecretStr:
    check_text(value.get_secret_value())
    return value


SecretText = Annotated[SecretStr, AfterValidator(_secret_text)]


def _split_at_blanks(value: object) -> object:
    return value.split() if isinstance(value, str) else value


SecretWords = Annotated[tuple[SecretText, ...], BeforeValidator(_split_at_blanks)]


def _secret_url(*schemes: str, ascii_only: bool = False) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        url = check_url(value.get_secret_value(), schemes)
        if ascii_only and not url.isascii():
            raise ValueError("holds a character that is not ASCII")
        return value

    return AfterValidator(check)


SmtpUrl = Annotated[SecretStr, _secret_url("smtp", "smtps")]


WebhookUrl = Annotated[SecretStr, _secret_url("http", "https", ascii_only=True)]


WebhookUrls = Annotated[tuple[WebhookUrl, ...], BeforeValidator(_split_at_blanks)]
"""A list in TOML, parted by blanks in the environment."""


class Alerts(Section):
    slack_webhook: Annotated[WebhookUrl | None, Stripped] = None
    email_smtp: Annotated[SmtpUrl | None, Stripped] = None
    email_from: MailSender = "socap@localhost"
    email_to: MailAddresses = ()
    webhooks: WebhookUrls = ()
    """Receivers of signed JSON."""
    webhook_secret: Annotated[SecretText | None, Stripped] = None
    """What the JSON is signed with; behind `whsec_` it is base64."""
    apprise: SecretWords = ()
    to: Receivers = ()
    """More receivers of every campaign that names none."""
    webhook_hosts: Hosts = ("hooks.slack.com",)
    templates: HomePath | None = None
    """A folder of templates that replace ours."""
    digest: DigestText = "off"
    """When all but VIPs are told together: `off`, `hourly`, `daily 08:00 Europe/Berlin`."""
    digest_after: int = Field(10, ge=1, le=10_000)
    """From more people due at once than this, they are told together."""
    quiet_hours: Annotated[QuietHoursText | None, Stripped] = None
    threshold: float = Field(10.0, ge=0, le=1e12)
    spacing_minutes: int = Field(20, ge=0, le=MINUTES_OF_A_YEAR)
    frequency_window_minutes: int = Field(30, ge=0, le=MINUTES_OF_A_YEAR)
    resend_unknown: bool = True
    max_attempts: int = Field(20, ge=1, le=1000)
    timeout: float = Field(15.0, gt=0, le=3600)
    """Seconds."""


class Budget(Section):
    """Credits a day; 0 sets no limit. From the soft budget on only counters are read, from the hard one nothing."""

    day_soft: Credits = 0.0
    day_hard: Credits = 0.0
    campaign_soft: Credits = 0.0
    campaign_hard: Credits = 0.0


class Importance(Section):
    """How the index of followings is built, and by which rules accounts are categorized."""

    categories: HomePath | None = None
    """A file of rules, relative to the configuration file; without one the package's own hold."""
    followings_limit: int = Field(5000, ge=1, le=10_000_000)
    """Followings read of each important person at most."""
    refresh_after_days: float = Field(7.0, ge=0, le=3650)
    """Whose followings were read within this time is left out of a build."""
    expire_after_days: float = Field(90.0, gt=0, le=3650)
    """What a build wrote and no build confirmed for so long is taken out."""


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(check_text(value))
    except (KeyError, OSError, ValueError):
        raise ValueError("is no time zone that this machine knows; write it like Europe/Berlin") from None
    return value


TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Report(Section):
    """Pages and the mail edition."""

    out: HomePath = Path("socap-report")
    edition: Literal["client", "operator"] = "client"
    rows: int = Field(5000, ge=1, le=100_000)
    """Engagements that a page holds to be browsed: the most important and the newest."""
    title: str = Field("", max_length=100)
    """Who reports: stands above each page."""
    logo: HomePath | None = None
    """A PNG, JPEG, SVG or WebP file of at most 200 KB; it becomes part of each page."""
    accent: str = Field("#2f5bd7", pattern=r"^#[0-9a-fA-F]{6}$")
    """The colour of links and of the first bar; moved until it can be read."""
    timezone: TimeZone = "UTC"
    """Of the times on pages and in mails, like Europe/Berlin."""
    url: Annotated[BaseUrl | None, Stripped] = None
    """Where the folder of pages is published: alerts and mails link there; without it they have no such link."""
    attach: Literal["none", "html", "zip", "pdf"] = "none"
    """The client edition as an attachment of mails."""


class Pings(Section):
    """Addresses of dead-man switches, one a command: asked when it starts and when it ends."""

    enqueue: Annotated[WebhookUrl | None, Stripped] = None
    work: Annotated[WebhookUrl | None, Stripped] = None
    alerts_send: Annotated[WebhookUrl | None, Stripped] = None
    report_render: Annotated[WebhookUrl | None, Stripped] = None
    report_send: Annotated[WebhookUrl | None, Stripped] = None
    db_backup: Annotated[WebhookUrl | None, Stripped] = None
    timeout: float = Field(5.0, gt=0, le=60)
    """Seconds for each ping."""

    def address_of(self, command: str) -> str | None:
        """The switch of a command, like `alerts send`; None when it has none."""
        name = command.replace(" ", "_")
        found = getattr(self, name) if name in type(self).model_fields else None
        return found.get_secret_value() if isinstance(found, SecretStr) else None


class Logging(Section):
    """A log below the data folder, `logs/socap.log`, beside what reaches stderr."""

    file: bool = False
    megabytes: float = Field(10.0, ge=0.01, le=10_000)
    """How large it grows before it is moved aside."""
    files: int = Field(5, ge=1, le=1000)
    """Old ones that are kept."""


def default_data_dir() -> Path:
    """Where the platform keeps an application's data. Raises ConfigError when there is no home folder."""
    if given := _absolute("XDG_DATA_HOME"):
        return given / "socap"
    place = home()
    if place is None:
        raise ConfigError(
            "no home folder, so no place for data", hint="set HOME, SOCAP_DATA_DIR or --data-dir"
        )
    if sys.platform == "darwin":
        return place / "Library" / "Application Support" / "socap"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or place / "AppData" / "Local") / "socap"
    return place / ".local" / "share" / "socap"


class Settings(Section):
    """Everything that an operator can set."""

    data_dir: HomePath = Field(default_factory=default_data_dir)
    database: Database = Database()
    provider: Provider = Provider()
    worker: Worker = Worker()
    collection: Collection = Collection()
    budget: Budget = Budget()
    alerts: Alerts = Alerts()
    importance: Importance = Importance()
    report: Report = Report()
    pings: Pings = Pings()
    logging: Logging = Logging()
    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The configuration file that was read."""
        return self._file

    def read_from(self, file: Path | None) -> Settings:
        """These settings, with the file that they come from."""
        self._file = file
        return self


WITH_PASSWORD = frozenset({"mongodb", "mongodb+srv", "smtp", "smtps"})
"""Addresses of which only the user's part is secret."""


def secret(value: SecretStr | None) -> str | None:
    """A secret's text; None when it is not set."""
    return value.get_secret_value().strip() or None if value else None


def texts_to_mask(settings: Settings) -> tuple[str, ...]:
    """Every text of the settings that nothing may print or log: keys, passwords, and addresses that are secrets."""
    texts: list[str] = []
    for text in _secret_texts(settings):
        try:
            address = urlsplit(text)
            password = address.password or ""
        except ValueError:
            texts.append(text)
            continue
        if address.scheme in WITH_PASSWORD:
            texts += [password, unquote(password), address.netloc.rpartition("@")[0]]
        else:
            texts += secrets_of(text) if address.scheme else [text, text.removeprefix("whsec_")]
    return tuple(dict.fromkeys(text for text in texts if text))


def _secret_texts(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value().strip()
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from _secret_texts(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _secret_texts(part)


CONFIG_MOST_BYTES = 1024 * 1024


SEE_EXAMPLE = "config.example.toml shows every key with its default"


Place = tuple[str, ...]


GOES_TO: dict[Place, Place] = {
    ("provider", "url"): ("provider", "api_key"),
    ("provider", "name"): ("provider", "api_key"),
    ("alerts", "webhook_hosts"): ("alerts", "slack_webhook"),
    ("alerts", "webhooks"): ("alerts", "webhook_secret"),
}
"""Each address with the key that is sent there. A database's URI and a mail server's hold their own."""


RECEIVER = re.compile(r"\S*,digest=daily\s+[0-9]\S*(?:\s+(?![a-z][a-z0-9_-]*(?:[=,\s]|$))\S+)?|\S+")
"""One of several receivers in a line: the hour and the zone of its daily digest stand behind blanks of their own."""


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


SECRET_MOST_BYTES = 64 * 1024
"""A secret's file."""


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


FILE_NAME = "socap.toml"


NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration file, and whether a person named it or keeps it in a place of their own.

    A file that merely lies in the working folder may be a stranger's: what it may decide is in `loading`.
    """

    path: Path
    trusted: bool


OFFICES = ("localhost", "local", "test")
"""What an office's own mail server is called: hosts like localhost and mail.local."""


@dataclass(frozen=True, slots=True)
class MailAddress:
    """A name, and an address whose domain is in its ASCII form."""

    name: str
    local_part: str
    domain: str

    @property
    def address(self) -> str:
        """As a mail server takes it."""
        return f"{self.local_part}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a server with that extension can take it."""
        return not self.local_part.isascii()


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
        return tomllib.loads(read_limited(path, CONFIG_MOST_BYTES).decode("utf-8-sig"))
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


def check_url(value: str, schemes: tuple[str, ...]) -> str:
    """A URL of one of these schemes that names a host. Raises ValueError without repeating it."""
    shown = " or ".join(f"{scheme}://" for scheme in schemes)
    if any(character.isspace() for character in check_text(value)):
        raise ValueError("holds a blank")
    scheme, mark, _ = value.partition("://")
    if not mark or scheme.lower() not in schemes:
        raise ValueError(f"should begin with {shown}")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no usable URL: its host or port cannot be read") from None
    if not host or not is_host(host):
        raise ValueError("is no usable URL: its host cannot be one")
    return value


def is_host(host: str) -> bool:
    """Whether a name or address could be that of a host: no empty or overlong label."""
    if ":" in host:
        return True
    try:
        return bool(host.rstrip(".").encode("idna"))
    except UnicodeError:
        return False


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
        return read_limited(Path(path), SECRET_MOST_BYTES).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"environment variable {name}: its file is not UTF-8 text") from None
    except ConfigError as error:
        said = error.message.replace(shown(Path(path)), "its file")
        raise ConfigError(
            f"environment variable {name}: {said}", hint="name a readable file, or unset it"
        ) from None


def home() -> Path | None:
    """The home folder; None when neither HOME nor the password file tells one."""
    try:
        path = Path(os.environ["HOME"]) if os.environ.get("HOME") else Path.home()
    except (RuntimeError, KeyError):
        return None
    return path if path.is_absolute() else None


def named_file(named: Path | None) -> Path | None:
    """The file that a person named, with --config or SOCAP_CONFIG, whether it is there or not."""
    if named is None and (from_environment := os.environ.get("SOCAP_CONFIG")):
        return Path(from_environment)
    return named


def find_file(named: Path | None) -> Found | None:
    """The configuration file: named, `SOCAP_CONFIG`, `./socap.toml`, then the user's own.

    Raises ConfigError when one was named and there is none, or when nobody can tell.
    """
    if wanted := named_file(named):
        if not _is_there(wanted):
            raise ConfigError(f"no configuration file at {shown(wanted)}", hint="write one with: socap init")
        return Found(wanted, trusted=True)
    here = Path(FILE_NAME)
    if _is_there(here):
        return Found(here, trusted=False)
    own = _absolute("XDG_CONFIG_HOME") or ((place / ".config") if (place := home()) else None)
    if own and _is_there(own / "socap" / FILE_NAME):
        return Found(own / "socap" / FILE_NAME, trusted=True)
    return None


def missing_file(named: Path | None) -> Path | None:
    """Where a configuration is to be written, as there is none: where one was named, else `./socap.toml`."""
    wanted = named_file(named)
    if wanted is None:
        return None if find_file(None) else Path(FILE_NAME)
    return None if _is_there(wanted) else wanted


def read_limited(path: Path, most_bytes: int) -> bytes:
    """The bytes of a small file. Raises ConfigError with the reason, which repeats nothing of its content."""
    try:
        with path.open("rb") as stream:
            content = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "its name holds a NUL character"
        raise ConfigError(f"cannot read {shown(path)}: {reason}", hint="name a readable file") from None
    if len(content) > most_bytes:
        raise ConfigError(
            f"{shown(path)} is larger than {most_bytes // 1024} KiB", hint="that is another file"
        )
    return content


def _absolute(name: str) -> Path | None:
    """The folder in a variable of the XDG specification, which says: a relative one is to be ignored."""
    path = Path(os.environ.get(name) or ".")
    return path if path.is_absolute() else None


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        if error.errno in NO_SUCH_FILE:
            return False
        raise ConfigError(
            f"cannot look for a configuration at {shown(path)}: {error.strerror}",
            hint="name another with --config or SOCAP_CONFIG",
        ) from None
    except ValueError:
        raise ConfigError("the name of the configuration file holds a NUL character") from None
    return True


def shown(path: Path) -> str:
    """A path as it is told: printable, and not too long."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else f"{text[:100]}…{text[-60:]}"


def parse_address(text: str) -> MailAddress:
    """`name@host` or `Name <name@host>`. Raises ValueError that says what is wrong, without the address."""
    found = _validated(text, display_name=True)
    return MailAddress(found.display_name or "", found.local_part, found.ascii_domain or found.domain)


def _validated(text: str, *, display_name: bool) -> ValidatedEmail:
    import email_validator  # only where there is an address

    for name in OFFICES:  # the documented way
        if name in email_validator.SPECIAL_USE_DOMAIN_NAMES:
            email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(name)
    try:
        return email_validator.validate_email(
            text.strip(),
            check_deliverability=False,
            globally_deliverable=False,
            allow_display_name=display_name,
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is no e-mail address: {str(error).rstrip('.')}") from None
    except (UnicodeError, IndexError, RecursionError):
        raise ValueError("is no e-mail address") from None
