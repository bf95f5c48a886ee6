"""Whose report it is: the logo becomes part of each page."""

from __future__ import annotations

import base64
from pathlib import Path

from socap_cli.config import Report
from socap_cli.errors import ConfigError
from socap_cli.report.page import Brand

LARGEST_LOGO = 200_000
SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp",
    b"<svg": "image/svg+xml", b"<?xml": "image/svg+xml",
}  # fmt: skip


def brand_of(settings: Report) -> Brand:
    """The brand that the configuration names. Raises ConfigError for a logo that cannot be one."""
    return Brand(settings.title, _logo(settings.logo) if settings.logo else "", settings.accent)


def _logo(path: Path) -> str:
    """The picture as a `data:` address; as an image it runs no script, whatever it holds."""
    place = "[report] logo"
    try:
        size = path.stat().st_size if path.is_file() else -1
        content = path.read_bytes() if 0 <= size <= LARGEST_LOGO else b""
    except OSError as error:
        raise ConfigError(f"{place}: {path}: {error.strerror}") from None
    if size < 0:
        raise ConfigError(f"{place}: {path} is no file")
    if size > LARGEST_LOGO:
        raise ConfigError(f"{place}: {path} has {size:,} bytes", hint=f"there may be {LARGEST_LOGO:,}")
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = next((name for mark, name in SIGNATURES.items() if start.startswith(mark)), None)
    if kind is None:
        raise ConfigError(
            f"{place}: {path} is no picture that a page can show", hint="use PNG, JPEG, SVG or WebP"
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
