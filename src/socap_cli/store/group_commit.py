"""Group commit: what many threads ask for at the same time is asked once.

The first caller serves itself and everybody who came meanwhile; those who come while it is at work are
served next, by the first of them. A lone caller waits for nobody; the busier it gets the larger the groups
(DeWitt et al., *Implementation techniques for main memory database systems*, 1984, on the commits of a log).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from socap_cli.errors import StoreError
from socap_cli.store.connect import translate_error

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Caller(Generic[Item, Answer]):
    """Who waits: its item, then its answer, or None when it is its turn to serve itself and others."""

    __slots__ = ("answer", "item", "woken")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.woken: Future[bool] = Future()
        """True once it has its answer, False when it is to serve the next group."""
        self.answer: Future[Answer] = Future()


class GroupCommit(Generic[Item, Answer]):
    """Calls `serve` with the items of everybody who calls at the same time, at most `limit` of them.

    `serve` returns an answer for each item, in order. When it fails for a group, each item is tried alone,
    so that one bad item fails its own caller only; what is served must bear being served twice.
    """

    def __init__(self, serve: Callable[[Sequence[Item]], Sequence[Answer]], *, limit: int = 64) -> None:
        self._serve = serve
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: list[_Caller[Item, Answer]] = []
        self._serving = False

    def __call__(self, item: Item) -> Answer:
        """The answer for this item; raises what `serve` raised for it."""
        me = _Caller[Item, Answer](item)
        with self._lock:
            leads = not self._serving
            self._serving = True
            if not leads:
                self._waiting.append(me)
        if leads or not me.woken.result():
            self._lead(me)
        return me.answer.result()

    def _lead(self, me: _Caller[Item, Answer]) -> None:
        """Serve a group, wake its members, and let the first of those who came meanwhile serve the next."""
        with self._lock:
            others = self._waiting[: self._limit - 1]
            del self._waiting[: self._limit - 1]
        try:
            self._answer([me, *others])
        finally:
            with self._lock:
                following = self._waiting.pop(0) if self._waiting else None
                self._serving = following is not None
            if following is not None:
                following.woken.set_result(False)
            for one in others:
                one.woken.set_result(True)

    def _answer(self, group: Sequence[_Caller[Item, Answer]]) -> None:
        try:
            answered = list(zip(group, self._serve([one.item for one in group]), strict=True))
        except BaseException as error:  # a kill in tests included: whoever waits must hear of it
            if len(group) > 1 and _concerns_one_item(error):
                for one in group:
                    self._answer([one])
            else:
                for one in group:
                    one.answer.set_exception(error)
            return
        for one, answer in answered:
            one.answer.set_result(answer)


def _concerns_one_item(error: BaseException) -> bool:
    """Whether it may be one item's fault: neither the database's nor the end of the process."""
    fault = translate_error(error)
    is_outage = isinstance(fault, StoreError) and not fault.ends_run
    return isinstance(error, Exception) and not is_outage
