"""JSON values with anything in them dropped, emptied, retyped or nested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    [
        "",
        "0",
        "-1",
        "nan",
        "1.99e18",
        "9" * 25,
        "9" * 400,
        "\ud83d",
        "\x00",
        "&lt;",
        "true",
        "0001-01-01T00:00:00+14:00",
    ]
)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every node of a JSON value, the value itself left out."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def mutate(value: Any, data: st.DataObject) -> None:
    """Drop a node, put something odd in its place, or nest it."""
    found = list(places(value))
    if not found:
        return
    *way, last = data.draw(st.sampled_from(found))
    node = value
    for key in way:
        node = node[key]
    how = data.draw(st.sampled_from(["drop", "odd", "odd", "list", "object"]))
    if how == "drop" and isinstance(node, dict):
        del node[last]
    elif how == "list":
        node[last] = [node[last]]
    elif how == "object":
        node[last] = {str(last): node[last]}
    else:
        node[last] = data.draw(ODD)
