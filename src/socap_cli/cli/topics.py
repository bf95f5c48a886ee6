"""socap help: the pages of the documentation, in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from socap_cli.cli import tables
from socap_cli.cli.run import Run
from socap_cli.errors import SocapError, UsageError

PACKAGE = Path(__file__).parent.parent
PLACES = (PACKAGE / "docs", PACKAGE.parent.parent / "docs")
"""In an installed package, and in the sources."""


def topics() -> dict[str, Path]:
    """Every page by its name; none when they were not installed."""
    folder = next((place for place in PLACES if (place / "commands.md").is_file()), None)
    return {path.stem: path for path in sorted(folder.glob("*.md")) if path.stem != "index"} if folder else {}


def show_topic(
    ctx: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help="A page (default: lists them).")] = "",
) -> None:
    """Show a page of the documentation; a command's own help is `socap COMMAND --help`.

    Example: socap help alerts
    """
    run: Run = ctx.obj
    pages = topics()
    if not pages:
        raise SocapError("the documentation was not installed", hint="each command has its --help")
    if not topic:
        titles = {name: _title(path) for name, path in pages.items()}
        run.done({"topics": titles}, text=lambda: tables.pairs(titles.items()))
        return
    if topic not in pages:
        raise UsageError(
            f"no topic {topic!r}",
            hint=f"there are {', '.join(pages)}; of a command: socap {topic} --help",
        )
    text = pages[topic].read_text(encoding="utf-8")
    run.done({"topic": topic, "text": text}, text=lambda: _draw(text))


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line.lstrip("# ").strip() for line in lines if line.startswith("#")), path.stem)


def _draw(text: str) -> None:
    """As a page where somebody reads it, as it is in a pipe."""
    out = tables.console()
    if out.is_terminal:
        from rich.markdown import Markdown

        out.print(Markdown(text))
    else:
        out.print(text.rstrip("\n"), soft_wrap=True, markup=False, emoji=False)
