"""Options of a campaign that say when: when tweets are looked at, when people are told."""

from __future__ import annotations

from typing import Annotated

import typer

QuietHours = Annotated[
    str | None,
    typer.Option(metavar="HOURS", help="When nothing is told, as in '22:00-07:00 Europe/Berlin'; or off."),
]
Digest = Annotated[
    str | None,
    typer.Option(
        metavar="off|hourly|daily", help="Tell all but VIPs together, as in 'daily 08:00 Europe/Berlin'."
    ),
]
CadenceOption = Annotated[
    str | None,
    typer.Option(
        metavar="fixed|adaptive", help="Look every half hour, or when it pays (default: configured)."
    ),
]
StopWhenCold = Annotated[
    bool | None,
    typer.Option(
        "--stop-when-cold/--no-stop-when-cold",
        show_default=False,
        help="Without an end: end by itself when nothing has happened for two days.",
    ),
]
