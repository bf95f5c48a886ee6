"""Messages as text, by templates that an operator can replace, for all campaigns or for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from socap_cli.errors import MessageRefused
from socap_cli.model.message import Message

Escape = Callable[[Any], Any]


class Templates:
    """`<folder>/<campaign>/NAME` wins over `<folder>/NAME`, and that over ours.

    `.html` escapes what it is given; `escape` does so for the markup of a channel of its own.
    """

    def __init__(self, folder: Path | None = None, *, escape: Escape | None = None) -> None:
        ours: BaseLoader = PackageLoader("socap_cli.channels", "templates")
        loader = ChoiceLoader([FileSystemLoader(folder), ours]) if folder else ours
        self._environment = ImmutableSandboxedEnvironment(
            loader=loader,
            autoescape=select_autoescape(("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=escape,
        )
        self._environment.filters["time"] = _time

    def render(self, name: str, message: Message, **values: object) -> str:
        """A message by one template. Raises MessageRefused that names the template's fault."""
        try:
            template = self._environment.select_template([f"{message.campaign_id}/{name}", name])
            return template.render(message=message, **values)
        except TemplateNotFound as error:
            raise MessageRefused(f"template {name}: there is no {error.message}") from error
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            place = f"{getattr(error, 'name', None) or name}, line {line}" if line else name
            raise MessageRefused(
                f"template {place}: {error.message}", hint="mend it, then: socap alerts retry"
            ) from error


def _time(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %H:%M} UTC"
