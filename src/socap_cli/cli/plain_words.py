"""The parser's help in words that people know: NUMBER, TEXT, "1 to 64"; no types, ranges or braces of a programmer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import typer

from socap_cli.cli.completing import values_of

WIDE = 1_000_000
"""A bound from here on is told when it is passed, not before."""
REFUSALS = {
    r".*valid integer.*": "should be a whole number",
    r".*valid number.*|.*finite number.*": "should be a number",
    r"Input should be greater than or equal to (\S+)": r"should be \1 or more",
    r"Input should be greater than (\S+)": r"should be more than \1",
    r"Input should be less than or equal to (\S+)": r"should be \1 or less",
    r"Input should be less than (\S+)": r"should be less than \1",
}
"""What the parser says of a number, and what is told of it."""


def in_plain_words(app: typer.Typer) -> Any:
    """The parser of a program, its help made plain; what the help lists, completion offers."""
    parser = typer.main.get_command(app)
    for command in _commands(parser):
        command.short_help = command.short_help or _first_sentence(command.help or "")
    for parameter in (one for command in _commands(parser) for one in command.params):
        if isinstance(parameter, typer.core.TyperArgument):
            _plain_argument(parameter)
            _completed(parameter)
        elif isinstance(parameter, typer.core.TyperOption) and not parameter.is_flag:
            _plain_option(parameter)
            _completed(parameter)
    return parser


def _commands(parser: Any) -> Iterator[Any]:
    commands = [parser]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        yield command


def _first_sentence(text: str) -> str:
    """What a list of commands says of one: whole, for the parser would cut it at the end of the line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "." if paragraph else ""


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
    if is_number:
        option.process_value = _judged(option, option.process_value)


def _judged(option: Any, process: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Refuse what is no number in plain words, and what only a programmer calls one: nan and inf."""

    def judge(ctx: Any, value: Any) -> Any:
        try:
            number = process(ctx, value)
        except typer.BadParameter as error:
            error.message = refusal(error.message)
            raise
        if isinstance(number, float) and not math.isfinite(number):
            raise typer.BadParameter("should be a number", ctx=ctx, param=option)
        return number

    return judge


def refusal(said: str) -> str:
    """Why a number is refused, in words that people know."""
    for pattern, words in REFUSALS.items():
        if re.fullmatch(pattern, said):
            return re.sub(r"\d{5,}", lambda many: f"{int(many[0]):,}", re.sub(pattern, words, said))
    return said


def _completed(parameter: Any) -> None:
    offer = partial(values_of, parameter.metavar or "")
    parameter._custom_shell_complete = lambda ctx, parameter, incomplete: offer(incomplete)  # noqa: ARG005
