"""Every secret text of the settings, for whoever must not print one."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from socap_cli.config import Settings
from socap_cli.network.masking import secrets_of

WITH_PASSWORD = frozenset({"mongodb", "mongodb+srv", "smtp", "smtps"})
"""Addresses of which only the user's part is secret."""

SIGNING = "whsec_"
"""How a secret that signs may begin."""


def secrets_in(settings: Settings) -> tuple[str, ...]:
    """Every text of the settings that nothing may print or log: keys, passwords, and addresses that are secrets."""
    found: list[str] = []
    for text in _secret_texts(settings):
        try:
            address = urlsplit(text)
            password = address.password or ""
        except ValueError:
            found.append(text)
            continue
        if address.scheme in WITH_PASSWORD:
            found += [password, unquote(password), address.netloc.rpartition("@")[0]]
        else:
            found += secrets_of(text) if address.scheme else [text, text.removeprefix(SIGNING)]
    return tuple(dict.fromkeys(text for text in found if text))


def _secret_texts(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value().strip()
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from _secret_texts(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _secret_texts(part)
