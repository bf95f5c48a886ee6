"""The sections of the configuration with their defaults: the only place where a default stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from socap_cli.config.places import default_data_dir
from socap_cli.config.values import (
    DAY,
    YEAR,
    ApiKey,
    BaseUrl,
    CollectionName,
    DigestText,
    HomePath,
    Hosts,
    MailAddresses,
    MailSender,
    MongoUri,
    QuietHoursText,
    Receivers,
    SecretText,
    SecretWords,
    SmtpUrl,
    Stripped,
    Text,
    TimeZone,
    WebhookUrl,
    WebhookUrls,
)

Rate = Literal["auto"] | Annotated[float, Field(ge=0, le=10_000)]
Credits = Annotated[float, Field(ge=0, le=1e15)]
MINUTES_OF_A_YEAR = 525_600


class Section(BaseModel):
    """Frozen; an unknown key, `nan` and `inf` are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Database(Section):
    uri: Annotated[MongoUri | None, Stripped] = None
    patience: float = Field(60.0, ge=0, le=DAY)
    """Seconds for which a run waits for a database that went away; an election takes about 12."""
    autostart: bool = True
    """Whether a command may start the embedded server; False where a unit of its own runs it."""
    name: Text = Field("socap", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    following_index: CollectionName = "following_index"
    important_people: CollectionName = "important_people"


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


class Alerts(Section):
    slack_webhook: Annotated[WebhookUrl | None, Stripped] = None
    email_smtp: Annotated[SmtpUrl | None, Stripped] = None
    email_from: MailSender = "socap@localhost"
    email_to: MailAddresses = ()
    webhooks: WebhookUrls = ()
    """Receivers of signed JSON."""
    webhook_secret: Annotated[SecretText | None, Stripped] = None
    """What the JSON is signed with; behind `whsec_` it is base64."""
    webhook_key_id: Text = Field("1", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """Tells a receiver which secret signed."""
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
