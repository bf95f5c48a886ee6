"""The kinds of values that a setting can have, each refused when it is read and never when it is used.

No message here repeats what it refuses: it may be a secret.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from socap_cli.config.mail_address import check_address, check_sender
from socap_cli.model.digest import parse_digest
from socap_cli.model.quiet_hours import parse_quiet_hours
from socap_cli.model.receiver import parse_receiver

DAY = 86_400.0
YEAR = 365 * DAY
RECEIVER = re.compile(r"\S*,digest=daily\s+[0-9]\S*(?:\s+(?![a-z][a-z0-9_-]*(?:[=,\s]|$))\S+)?|\S+")
"""One of several receivers in a line: the hour and the zone of its daily digest stand behind blanks of their own."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _split_at_blanks(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _split_receivers(value: object) -> object:
    return RECEIVER.findall(value) if isinstance(value, str) else value


def _strip(value: object) -> object:
    return value.strip() or None if isinstance(value, str) else value


def check_text(value: str) -> str:
    """Text of printable characters. Raises ValueError without repeating it."""
    if "\n" in value or "\r" in value:
        raise ValueError("holds more than one line")
    if not value.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return value


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


def _api_key(value: SecretStr) -> SecretStr:
    key = check_text(value.get_secret_value())
    if not key.isascii() or " " in key:
        raise ValueError("holds a character that no key has (a blank, or one that is not ASCII)")
    return value


def _secret_url(*schemes: str, ascii_only: bool = False) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        url = check_url(value.get_secret_value(), schemes)
        if ascii_only and not url.isascii():
            raise ValueError("holds a character that is not ASCII")
        return value

    return AfterValidator(check)


def _mongodb(value: SecretStr) -> SecretStr:
    uri = check_text(value.get_secret_value())
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("should begin with mongodb:// or mongodb+srv://")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(check_url(value, ("http", "https")))
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("should hold no password, question mark or #")
    return value


def _receiver(value: SecretStr) -> SecretStr:
    parse_receiver(check_text(value.get_secret_value()))
    return value


def _secret_text(value: SecretStr) -> SecretStr:
    check_text(value.get_secret_value())
    return value


def _quiet_hours(value: str) -> str:
    return str(parse_quiet_hours(check_text(value)))


def _digest(value: str) -> str:
    return str(parse_digest(check_text(value)))


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(check_text(value))
    except (KeyError, OSError, ValueError):
        raise ValueError("is no time zone that this machine knows; write it like Europe/Berlin") from None
    return value


def _path(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError("holds a NUL character")
    try:
        return value.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and there is no such home folder") from None


def _host_and_port(value: str) -> str:
    if "/" in value or "@" in value:
        raise ValueError("should be hosts, like hooks.slack.com or 127.0.0.1:8080")
    check_url(f"https://{value}", ("https",))
    return value


def _collection(value: str) -> str:
    if value.startswith(("system.", ".")) or value.endswith(".") or "$" in value:
        raise ValueError("no collection can be called so")
    return value


Text = Annotated[str, AfterValidator(check_text)]
"""One printable line."""
Hosts = Annotated[tuple[Annotated[Text, AfterValidator(_host_and_port)], ...], BeforeValidator(_split)]
"""A list in TOML, comma-separated in the environment."""
HomePath = Annotated[Path, AfterValidator(_path)]
"""A path; `~` is the home folder."""
CollectionName = Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(_collection)]
BaseUrl = Annotated[Text, AfterValidator(_base_url)]
"""An HTTP address that paths are put behind."""
ApiKey = Annotated[SecretStr, AfterValidator(_api_key)]
WebhookUrl = Annotated[SecretStr, _secret_url("http", "https", ascii_only=True)]
SmtpUrl = Annotated[SecretStr, _secret_url("smtp", "smtps")]
MongoUri = Annotated[SecretStr, AfterValidator(_mongodb)]
WebhookUrls = Annotated[tuple[WebhookUrl, ...], BeforeValidator(_split_at_blanks)]
"""A list in TOML, parted by blanks in the environment."""
SecretText = Annotated[SecretStr, AfterValidator(_secret_text)]
SecretWords = Annotated[tuple[SecretText, ...], BeforeValidator(_split_at_blanks)]
Receivers = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_receiver)], ...], BeforeValidator(_split_receivers)
]
"""`CHANNEL=ADDRESS,min=IMPORTANCE`: the address may be a secret."""
MailSender = Annotated[Text, AfterValidator(check_sender)]
MailAddresses = Annotated[tuple[Annotated[Text, AfterValidator(check_address)], ...], BeforeValidator(_split)]
QuietHoursText = Annotated[str, AfterValidator(_quiet_hours)]
DigestText = Annotated[str, AfterValidator(_digest)]
Stripped = BeforeValidator(_strip)
"""Blanks around a secret are no part of it, and nothing but blanks is none."""
TimeZone = Annotated[str, AfterValidator(_time_zone)]
