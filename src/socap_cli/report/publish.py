"""Publish reports as a folder of pages: each file whole or not at all, and none that would say the same again."""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from socap_cli.errors import SocapError
from socap_cli.files.writing import holds, replace_if_changed
from socap_cli.json_text import json_text
from socap_cli.model.campaign import Campaign
from socap_cli.report.document import document
from socap_cli.report.gather import Wanted, gather
from socap_cli.report.page import Brand, campaign_page, index_page
from socap_cli.report.summary import summary
from socap_cli.report.version import data_version
from socap_cli.store import Db

INDEX = "index"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
log = logging.getLogger("socap.report")


@dataclass(frozen=True, slots=True)
class Site:
    """Where pages are written, what they hold, and whose they are."""

    folder: Path
    wanted: Wanted
    brand: Brand
    dry_run: bool = False
    """Whether nothing is written: it is only found out which pages would be."""


@dataclass(frozen=True, slots=True)
class Published:
    """The paths of all pages, and what became of them, or would."""

    pages: tuple[Path, ...]
    changed: tuple[Path, ...] = ()
    """Those that were not on disk already, byte for byte."""
    left_out: tuple[str, ...] = ()
    """Campaigns that have no page, each with the reason."""

    @property
    def unchanged(self) -> int:
        """How many were."""
        return len(self.pages) - len(self.changed)


@dataclass(frozen=True, slots=True)
class _Page:
    path: Path
    is_unchanged: bool
    summary: Mapping[str, Any]


def publish(
    db: Db, campaigns: Sequence[Campaign], site: Site, *, now: datetime, index: bool = True
) -> Published:
    """Write a page for each campaign, with the same numbers as JSON beside it, and the page of all.

    A campaign whose page cannot be made is left out and named; the others are written. Raises SocapError when the
    folder cannot be written.
    """
    pages: list[_Page] = []
    left_out: list[str] = []
    for campaign in campaigns:
        try:
            pages.append(_publish(db, campaign, site, now))
        except (SocapError, OSError):
            raise
        except Exception as error:
            log.exception("the page of %s cannot be made", campaign.slug)
            left_out.append(f"{campaign.slug}: {type(error).__name__}: {error}")
    paths, changed = [page.path for page in pages], [page.path for page in pages if not page.is_unchanged]
    if index:
        wanted = site.wanted
        text = index_page([page.summary for page in pages], site.brand, wanted.zone, edition=wanted.edition)
        paths.append(site.folder / f"{INDEX}.html")
        if not _write(site, paths[-1], text):
            changed.append(paths[-1])
    return Published(tuple(paths), tuple(changed), tuple(left_out))


def _publish(db: Db, campaign: Campaign, site: Site, now: datetime) -> _Page:
    if campaign.slug == INDEX or not FILE_NAME.fullmatch(campaign.slug):
        raise ValueError("no file of a page can have that name")
    page, data = site.folder / f"{campaign.slug}.html", site.folder / f"{campaign.slug}.json"
    version = data_version(db, campaign, site.wanted, site.brand, now=now)
    known = _known(page, data, version)
    if known is not None:
        return _Page(page, True, known)
    with _without_collector():
        report = gather(db, campaign, site.wanted, now=now)
        text = campaign_page(report, site.brand, site.wanted.zone)
        found = summary(report)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        numbers = json_text({"version": version, "page_sha256": digest, "summary": found, **document(report)})
    is_unchanged = _write(site, page, text)
    _write(site, data, numbers)
    return _Page(page, is_unchanged, found)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A page's values all live until it is written: looking for garbage among them is a tenth of its cost."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _known(page: Path, data: Path, version: str) -> Mapping[str, Any] | None:
    """The summary of a page that says all this already and is as it was written; else None."""
    try:
        stored = json.loads(data.read_text(encoding="utf-8"))
        content = page.read_bytes()
    except (OSError, ValueError):
        return None
    if not isinstance(stored, dict) or stored.get("version") != version:
        return None
    found = stored.get("summary")
    is_whole = stored.get("page_sha256") == hashlib.sha256(content).hexdigest()
    return found if is_whole and isinstance(found, dict) else None


def _write(site: Site, path: Path, text: str) -> bool:
    """Replace a file in one step; True when it held the same bytes already. Raises SocapError."""
    try:
        if site.dry_run:
            return holds(path, text.encode("utf-8", "replace"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return replace_if_changed(path, text.encode("utf-8", "replace"), mode=0o644)
    except OSError as error:
        raise SocapError(
            f"cannot write to {path.parent}: {error.strerror}", hint="name another folder with --out"
        ) from error
