"""The parser's help in words that people know: NUMBER, TEXT, "1 to 64"; no types, ranges or braces of a programmer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import typer

from socap_cli.cli.completing import values_of

WIDE = 1_000_000
"""A bound from here on is told when it is passed, not before."""


def in_plain_words(app: typer.Typer) -> Any:
    """The parser of a program, its help made plain; what the help lists, completion offers."""
    parser = typer.main.get_command(app)
    for parameter in _parameters(parser):
        if isinstance(parameter, typer.core.TyperArgument):
            _plain_argument(parameter)
            _completed(parameter)
        elif isinstance(parameter, typer.core.TyperOption) and not parameter.is_flag:
            _plain_option(parameter)
            _completed(parameter)
    return parser


def _parameters(parser: Any) -> Iterator[Any]:
    commands = [parser]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        yield from command.params


def _plain_argument(argument: Any) -> None:
    """Its name says what it is; there is no public way to leave the type and the braces out."""
    name = argument.metavar or argument.name.upper()
    plain = name if argument.required or name.startswith("[") else f"[{name}]"
    argument.display_type_rich = lambda ctx: ""  # noqa: ARG005
    argument.get_usage_pieces = lambda ctx: [plain]  # noqa: ARG005


def _plain_option(option: Any) -> None:
    is_number = {int, float} & {option.type_descriptor.annotation}
    choices = [choice.value for choice in option.type_descriptor.choices or ()]
    option.metavar = option.metavar or "|".join(choices) or ("NUMBER" if is_number else "TEXT")
    if isinstance(option.default, float) and option.default.is_integer():
        option.default = int(option.default)  # "45", not "45.0"
    if option.min is not None and option.max is not None and option.max < WIDE:
        option.help = f"{option.help} {option.min:,} to {option.max:,}."
    option.min = option.max = None  # only what is shown of them: values are still judged


def _completed(parameter: Any) -> None:
    offer = partial(values_of, parameter.metavar or "")
    parameter._custom_shell_complete = lambda ctx, parameter, incomplete: offer(incomplete)  # noqa: ARG005
