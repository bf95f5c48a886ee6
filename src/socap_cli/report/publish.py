"""Publish reports as a folder of pages: each file whole or not at all, and none that would say the same again."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from socap_cli import __version__
from socap_cli.errors import SocapError
from socap_cli.files import holds, replace_if_changed
from socap_cli.model.campaign import Campaign
from socap_cli.report.gather import ReportOptions, gather, is_stale, latest_reading
from socap_cli.report.mail import Attachment
from socap_cli.report.page import campaign_page, document, index_page, summary
from socap_cli.report.values import Brand, Edition
from socap_cli.store import Db, alert_queue, page_sums, usage, worker_state
from socap_cli.store import campaigns as store_campaigns
from socap_cli.text import json_text

INDEX = "index"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
log = logging.getLogger("socap.report")


@dataclass(frozen=True, slots=True)
class Site:
    """Where pages are written, what they hold, and whose they are."""

    folder: Path
    options: ReportOptions
    brand: Brand
    is_public: bool = False
    """Whether the folder is served: then nobody can guess the folders of clients."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """The paths of all pages, and those that changed, or would."""

    pages: tuple[Path, ...]
    changed: tuple[Path, ...] = ()
    """Those that were not on disk already, byte for byte."""
    left_out: tuple[str, ...] = ()
    """Campaigns that have no page, each with the reason."""

    @property
    def unchanged(self) -> int:
        """Pages that were on disk already."""
        return len(self.pages) - len(self.changed)


@dataclass(frozen=True, slots=True)
class _Page:
    path: Path
    is_unchanged: bool
    summary: Mapping[str, Any]


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
)  # fmt: skip
PATIENCE = 60.0


def publish(
    db: Db, campaigns: Sequence[Campaign], site: Site, *, now: datetime, index: bool = True
) -> Published:
    """Write a page for each campaign, with the same numbers as JSON beside it, and an index.

    In the client edition each client has a folder and an index of its own, which name no other client. A campaign
    whose page cannot be made is left out and named. Raises SocapError when a folder cannot be written.
    """
    pages, left_out = list[_Page](), list[str]()
    for campaign in campaigns:
        try:
            pages.append(_publish(db, campaign, site, now))
        except (SocapError, OSError):
            raise
        except Exception as error:
            log.exception("the page of %s cannot be made", campaign.slug)
            left_out.append(f"{campaign.slug}: {type(error).__name__}: {error}")
    if site.options.edition is Edition.CLIENT and not site.dry_run:
        for page in pages:
            _remove_elsewhere(site, page.path)
    paths, changed = [page.path for page in pages], [page.path for page in pages if not page.is_unchanged]
    folders = dict.fromkeys(path.parent for path in paths)
    if index and site.options.edition is Edition.OPERATOR:
        folders = {site.folder: None}
    for folder in folders if index else ():
        rows = [page.summary for page in pages if page.path.parent == folder]
        text = index_page(rows, site.brand, site.options.zone, edition=site.options.edition)
        paths.append(folder / f"{INDEX}.html")
        if not _write(site, paths[-1], text):
            changed.append(paths[-1])
    return Published(tuple(paths), tuple(changed), tuple(left_out))


def _remove_elsewhere(site: Site, page: Path) -> None:
    """Delete a campaign's page from other folders: its client was corrected, and the other must not see it.

    The last page takes the index and the folder along. Files that socap did not write stay.
    """
    for data in site.folder.glob(f"*/{page.stem}.json"):
        try:
            is_ours = "page_sha256" in json.loads(data.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError):
            continue
        if not is_ours or data.parent == page.parent:
            continue
        with suppress(OSError):
            data.with_suffix(".html").unlink(missing_ok=True)
            data.unlink()
            if {path.stem for path in data.parent.iterdir()} == {INDEX}:
                (data.parent / f"{INDEX}.html").unlink()
                data.parent.rmdir()


def _publish(db: Db, campaign: Campaign, site: Site, now: datetime) -> _Page:
    if campaign.slug == INDEX or not FILE_NAME.fullmatch(campaign.slug):
        raise ValueError("no file of a page can have that name")
    folder = site.folder
    if site.options.edition is Edition.CLIENT:
        folder /= store_campaigns.client_folder(db, campaign, is_public=site.is_public, dry_run=site.dry_run)
    page, data = folder / f"{campaign.slug}.html", folder / f"{campaign.slug}.json"
    version = data_version(db, campaign, site.options, site.brand, now=now)
    known = _known(page, data, version)
    if known is not None:
        return _Page(page, True, known)
    report = gather(db, campaign, site.options, now=now)
    text = campaign_page(report, site.brand, site.options.zone)
    found = summary(report)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    facts = {"version": version, "page_sha256": digest, "summary": found}
    is_unchanged = _write(site, page, text)
    _write(site, data, json_text({**facts, **document(report, site.options.zone)}))
    return _Page(page, is_unchanged, found)


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


def as_pdf(name: str, page: bytes) -> Attachment:
    """The page as it prints on A4. Raises SocapError when there is no browser, or it does not print."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SocapError("a PDF needs Chromium", hint="install chromium, or attach zip")
    with tempfile.TemporaryDirectory(prefix="socap-pdf-", ignore_cleanup_errors=True) as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_bytes(page)
        places = (f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}", source.as_uri())
        try:
            subprocess.run([browser, *OPTIONS, *places], capture_output=True, timeout=PATIENCE, check=True)  # noqa: S603
            content = target.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            reason = f"{Path(browser).name} made no PDF: {type(error).__name__}"
            raise SocapError(reason, hint="attach zip") from error
    return Attachment(f"{name}.pdf", content, ("application", "pdf"))


def data_version(db: Db, campaign: Campaign, options: ReportOptions, brand: Brand, *, now: datetime) -> str:
    """Differs when the campaign, its tweets, a reading, an engagement, a score, or what only the operator sees did.

    It asks for versions and counts only, never for engagements. While engagements are being written it differs
    each time.
    """
    tweets = store_campaigns.tweets_of(db, campaign.slug)
    ids = [tweet.tweet_id for tweet in tweets]
    states, lists = worker_state.load(db, ids), page_sums.versions(db, ids, now=now)
    parts: list[object] = [
        __version__,
        _own_files(),
        campaign,
        campaign.starts_at <= now,
        is_stale(campaign, latest_reading(states.values()), now),
        tweets,
        states,
        lists,
        brand,
        (options.edition, options.rows, str(options.zone)),
    ]
    if options.edition is Edition.OPERATOR:
        parts += [
            alert_queue.outcomes(db, campaign.slug),
            usage.of_campaign(db, campaign.slug),
            options.usd_per_credit,
            (options.policy.default, options.policy.limits, options.policy.budget),
        ]
    if not all(one.is_quiet for one in lists.values()):
        parts.append(secrets.token_hex(8))
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()[:32]


@cache
def _own_files() -> str:
    """The templates, since a change of them changes every page."""
    templates = (resources.files("socap_cli.report") / "templates").iterdir()
    return hashlib.sha256(b"".join(sorted(entry.read_bytes() for entry in templates))).hexdigest()
