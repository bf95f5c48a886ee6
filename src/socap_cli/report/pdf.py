"""A page as PDF, by a Chromium or WeasyPrint where one is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from socap_cli.errors import SocapError
from socap_cli.report.mail import Attachment

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
)  # fmt: skip
PATIENCE = 60.0


def as_pdf(name: str, page: bytes) -> Attachment:
    """The page as it prints on A4. Raises SocapError when nothing here can print, or what can does not."""
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser:
        content = _by_browser(browser, page)
    elif find_spec("weasyprint"):
        library: Any = import_module("weasyprint")
        content = library.HTML(string=page.decode("utf-8")).write_pdf()
    else:
        raise SocapError("nothing here can make a PDF", hint="install chromium or weasyprint, or attach zip")
    return Attachment(f"{name}.pdf", content, ("application", "pdf"))


def _by_browser(browser: str, page: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="socap-pdf-", ignore_cleanup_errors=True) as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_bytes(page)
        command = [
            browser,
            *OPTIONS,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        try:
            subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)  # noqa: S603
            return target.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise SocapError(
                f"{Path(browser).name} made no PDF: {type(error).__name__}", hint="attach zip"
            ) from error
