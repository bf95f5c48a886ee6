"""Open the database and translate what it complains about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient, errors
from pymongo.database import Database

from socap_cli.errors import ConfigError, DatabaseUnreachable, StoreError

Db = Database[dict[str, Any]]

WAYS_OUT = "set MONGODB_URI to a running MongoDB, or unset it to use the embedded one (socap db status tells its state)"


@contextmanager
def open_database(uri: str, name: str, *, patience: float = 5.0) -> Iterator[Db]:
    """Yield the database and close the client afterwards; MongoDB's errors leave as StoreError.

    `patience` is how many seconds an unreachable server is waited for.
    """
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            uri, tz_aware=True, appname="socap", serverSelectionTimeoutMS=int(patience * 1000), maxPoolSize=64
        )
    except (errors.PyMongoError, ValueError) as error:
        raise ConfigError(
            f"the database URI is not usable: {_without_credentials(str(error), uri)}",
            hint="it looks like mongodb://user:password@host:27017/",
        ) from None
    try:
        client.admin.command("ping")
        yield client[name]
    except errors.PyMongoError as error:
        raise explain(error, uri=uri) or error from error
    finally:
        client.close()


def explain(error: BaseException, *, uri: str = "") -> StoreError | None:
    """The error as ours, or None when it is not MongoDB's."""
    if isinstance(error, StoreError):
        return error
    if not isinstance(error, errors.PyMongoError):
        return None
    said = _without_credentials(
        str(error).split(", Timeout:")[0].split("(configured timeouts")[0].strip(), uri
    )
    if isinstance(error, errors.ConnectionFailure):
        return DatabaseUnreachable(f"the database cannot be reached: {said}", hint=WAYS_OUT)
    if isinstance(error, errors.OperationFailure) and error.code in (13, 18):
        return DatabaseUnreachable(
            f"the database refused this user: {said.split(', full error')[0]}",
            hint="check user, password and authSource in MONGODB_URI",
        )
    return StoreError(f"the database refused an operation: {said.split(', full error')[0]}")


def _without_credentials(text: str, uri: str) -> str:
    if "@" in uri and "//" in uri:
        credentials = uri.split("//", 1)[1].rsplit("@", 1)[0]
        text = text.replace(credentials, "***")
        for part in credentials.split(":"):
            if len(part) > 3:
                text = text.replace(part, "***")
    return text
