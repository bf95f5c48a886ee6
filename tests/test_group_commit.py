"""Group commit: everybody gets their own answer, an error reaches all it concerns, nobody is left waiting."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socap_cli.store.rate_limits import GroupCommit


def call_at_once(commit: GroupCommit[int, int], items: Sequence[int]) -> dict[int, int | str]:
    """Each item from a thread of its own; its answer, or what it raised."""
    got: dict[int, int | str] = {}

    def caller(item: int) -> None:
        try:
            got[item] = commit(item)
        except ValueError as error:
            got[item] = str(error)

    threads = [threading.Thread(target=caller, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return got


@settings(max_examples=40, deadline=None)
@given(items=st.sets(st.integers(0, 500), max_size=60), limit=st.integers(1, 9))
def test_everybody_gets_the_answer_to_what_they_asked(items: set[int], limit: int) -> None:
    sizes: list[int] = []

    def serve(group: Sequence[int]) -> list[int]:
        sizes.append(len(group))
        return [item * 2 for item in group]

    assert call_at_once(GroupCommit(serve, limit=limit), sorted(items)) == {i: i * 2 for i in items}
    assert sum(sizes) == len(items)
    assert max(sizes, default=0) <= limit


def test_who_comes_while_it_is_at_work_is_served_commit() -> None:
    first_is_in, go_on = threading.Event(), threading.Event()
    groups: list[list[int]] = []

    def serve(group: Sequence[int]) -> list[int]:
        groups.append(list(group))
        if len(groups) == 1:
            first_is_in.set()
            go_on.wait(10)
        return list(group)

    commit = GroupCommit(serve)
    first = threading.Thread(target=commit, args=(0,))
    first.start()
    first_is_in.wait(10)
    others = [threading.Thread(target=commit, args=(n,)) for n in range(1, 21)]
    for other in others:
        other.start()
    while len(commit._waiting) < 20:
        pass
    go_on.set()
    for thread in [first, *others]:
        thread.join(10)
    assert groups[0] == [0]
    assert sorted(groups[1]) == list(range(1, 21))


def test_an_error_reaches_everybody_of_its_group_and_nobody_after() -> None:
    def serve(group: Sequence[int]) -> list[int]:
        if any(item < 0 for item in group):
            raise ValueError("no")
        return list(group)

    commit = GroupCommit(serve)
    with pytest.raises(ValueError, match="no"):
        commit(-1)
    assert commit(3) == 3


def test_a_server_that_answers_too_little_is_an_error_for_all() -> None:
    commit = GroupCommit[int, int](lambda group: list(group)[:-1])
    assert set(call_at_once(commit, range(12)).values()) == {"zip() argument 2 is shorter than argument 1"}
