"""A hook of MkDocs: files of the repository that the documents link to become pages of the site.

So `[crontab.example](../crontab.example)` works where the documents are read as plain files, and on the site too.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PLACE = "files"
SHOWN = (
    "crontab.example",
    "config.example.toml",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "LICENSE",
)
FOLDERS = ("examples",)
LANGUAGES = {
    ".toml": "toml",
    ".json": "json",
    ".yaml": "yaml",
    ".service": "ini",
    ".timer": "ini",
    ".conf": "nginx",
}
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def shown_files() -> list[Path]:
    """The files, relative to the repository, that become pages."""
    inside = [
        path.relative_to(ROOT)
        for name in FOLDERS
        for path in sorted((ROOT / name).rglob("*"))
        if path.is_file()
    ]
    return [*(Path(name) for name in SHOWN), *inside]


def page_of(path: str) -> str | None:
    """The page of a file or folder of the repository; None when it has none."""
    if (ROOT / path).is_dir():
        return f"{PLACE}/{path.rstrip('/')}/index.md"
    if Path(path) in shown_files():
        return f"{PLACE}/{path}" if path.endswith(".md") else f"{PLACE}/{path}.md"
    return None


def relinked(text: str, page: str, source: str) -> str:
    """A document's text with its links to the repository's files turned to their pages."""

    def turned(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        found = path.removeprefix("docs/") if path.startswith("docs/") else page_of(path)
        if found is None:
            return match[0]
        return (
            f"{match[1]}{posixpath.relpath(found, posixpath.dirname(page) or '.')}{match[3] or ''}{match[4]}"
        )

    return LINK.sub(turned, text)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of files and folders."""
    from mkdocs.structure.files import File  # type: ignore[import-not-found,unused-ignore]

    for path in shown_files():
        files.append(File.generated(config, str(page_of(str(path))), content=_content(path)))
    for folder in sorted({parent for path in shown_files() for parent in path.parents if str(parent) != "."}):
        inside = sorted(path for path in shown_files() if folder in path.parents)
        rows = "".join(f"- [{path.relative_to(folder)}]({path.relative_to(folder)}.md)\n" for path in inside)
        files.append(File.generated(config, f"{PLACE}/{folder}/index.md", content=f"# {folder}\n\n{rows}"))
    return files


def _content(path: Path) -> str:
    text = (ROOT / path).read_text("utf-8")
    if path.suffix == ".md":
        return text
    return f"# {path}\n\n```{LANGUAGES.get(path.suffix, 'text')}\n{text.rstrip()}\n```\n"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the links of each page."""
    uri = page.file.src_uri
    source = uri.removeprefix(f"{PLACE}/") if uri.startswith(f"{PLACE}/") else f"docs/{uri}"
    return relinked(markdown, uri, source)
