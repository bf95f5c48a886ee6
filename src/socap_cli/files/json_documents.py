"""JSON as programs write it: one value, an object a line, or objects one after the other; each judged by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from socap_cli.files.tables import split_lines


class NotJson(ValueError):
    """Says on which line, and why."""


@dataclass(frozen=True, slots=True)
class Document:
    """A value, the text that it was read from, and the line on which that begins."""

    value: Any
    text: str
    line: int = 1
    unreadable: str = ""
    """Why the text is no value."""


def documents(content: str) -> list[Document]:
    """The values in a text. Raises NotJson when it is neither one value nor holds objects."""
    value, reason = _parsed(content)
    if not reason:
        return [Document(value, content)]
    found = _each_line(content)
    if not any(isinstance(one.value, dict) for one in found):
        found = _one_after_the_other(content)
    if not found:
        raise NotJson(reason)
    return found


def _each_line(content: str) -> list[Document]:
    lines = [(at, line) for at, line in enumerate(split_lines(content), start=1) if line.strip()]
    found = []
    for at, line in lines:
        value, reason = _parsed(line.strip().removesuffix(","))
        found.append(Document(value, line, at, reason.removeprefix("line 1: ")))
    return found


def _one_after_the_other(content: str) -> list[Document]:
    """Objects over several lines each; none at all when one of them is broken: where the next begins is unknown."""
    decoder, at, line, found = json.JSONDecoder(), 0, 1, []
    while at < len(content):
        if content[at].isspace() or content[at] == ",":
            line += content[at] == "\n"
            at += 1
            continue
        try:
            value, end = decoder.raw_decode(content, at)
        except (ValueError, RecursionError):
            return []
        found.append(Document(value, content[at:end], line))
        line += content.count("\n", at, end)
        at = end
    return found


def _parsed(text: str) -> tuple[Any, str]:
    """(the value, "") or (None, why it is none)."""
    try:
        return json.loads(text), ""
    except json.JSONDecodeError as error:
        return None, f"line {error.lineno}: not JSON: {error.msg}"
    except RecursionError:
        return None, "nested too deeply"
    except ValueError:
        return None, "holds a number of thousands of digits"
