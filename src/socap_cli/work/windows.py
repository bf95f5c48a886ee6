"""A long list in windows of time that are read side by side, at the price of one after the other. Pure rules.

Every moment lies in exactly one window, each is read to its end, and so all of them together are the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import sqrt

from socap_cli.errors import CursorRefused, OutOfPages, TurnTooFar
from socap_cli.model.account import Page
from socap_cli.model.list_state import Pass, Phase, Window
from socap_cli.work.delta import RESTARTS, PassTracker

FEW = 4
"""Divisions that even a short list is worth."""
SECOND = timedelta(seconds=1)
YOUNG = 60.0
"""Seconds added to an age, so that its logarithm has a beginning."""


@dataclass
class _Part:
    """A window and what this run has seen of it."""

    window: Window
    tracker: PassTracker
    restarts: int = 0


@dataclass
class WindowReader:
    """One run over the windows of a pass. What arrives together is stored together, and then remembered."""

    executor: Executor
    ask: Callable[[Window], Page]
    """One page of a window; called by several threads at once."""
    keep: Callable[[Sequence[Page], Pass], None]
    """Stores pages, then remembers where the pass stands."""
    new_tracker: Callable[[], PassTracker]
    side_by_side: int
    page_limit: int
    posted_at: datetime | None
    worth: int
    """Items expected in a window from which it is divided."""
    _waiting: list[_Part] = field(default_factory=list)
    _asked: dict[Future[Page], _Part] = field(default_factory=dict)
    _error: Exception | None = None
    _pages: int = 0
    _divisions: int = 0

    def read(self, current: Pass) -> Pass:
        """Read all windows to their ends; the pass then has none.

        What was asked for when something failed is stored before the error is raised. Raises what `ask`
        raises, and OutOfPages.
        """
        self._waiting = [self._part(window) for window in current.windows]
        self._divisions = divisions_worth(current.windows)
        while True:
            self._ask_on()
            if not self._asked:
                break
            done, _ = wait(self._asked, return_when=FIRST_COMPLETED)
            current = self._take(current, done)
        if self._error is not None:
            raise self._error
        if self._waiting:
            raise OutOfPages
        return current

    def _part(self, window: Window) -> _Part:
        return _Part(window, self.new_tracker())

    def _ask_on(self) -> None:
        """Ask for the next page of as many windows as may be asked at once."""
        free = min(self.side_by_side - len(self._asked), self.page_limit - self._pages)
        if self._error is not None or free <= 0:
            return
        known = {id(part.window): part for part in self._waiting}
        whole = list(map(_window, self._waiting))
        wanted = min(free, len(whole) + self._divisions)
        parts = divide(whole, wanted=wanted, posted_at=self.posted_at, worth=self.worth)
        self._divisions -= len(parts) - len(whole)
        self._waiting = [known.get(id(window)) or self._part(window) for window in parts]
        for part in self._waiting[:free]:
            self._asked[self.executor.submit(self.ask, part.window)] = part
            self._pages += 1
        del self._waiting[:free]

    def _take(self, current: Pass, done: set[Future[Page]]) -> Pass:
        """Store what has arrived, and remember what is left."""
        pages: list[Page] = []
        for future in done:
            part = self._asked.pop(future)
            page = self._page(future, part)
            if page is not None:
                pages.append(page)
                current = self._advance(current, part, page)
        left = [*self._waiting, *self._asked.values()]
        current = replace(current, windows=tuple(map(_window, left)))
        self.keep(pages, current)
        return current

    def _page(self, future: Future[Page], part: _Part) -> Page | None:
        """What was answered; None when the window has to be asked again."""
        try:
            return future.result()
        except CursorRefused as error:
            part = _Part(replace(part.window, cursor=None, read=0), self.new_tracker(), part.restarts + 1)
            self._error = self._error or (error if part.restarts > RESTARTS else None)
        except TurnTooFar as error:  # fewer at once find their turns sooner
            if self.side_by_side == 1:
                self._error = self._error or error
            self.side_by_side = max(1, self.side_by_side // 2)
        except Exception as error:
            self._error = self._error or error
        self._waiting.append(part)
        return None

    def _advance(self, current: Pass, part: _Part, page: Page) -> Pass:
        advance = part.tracker.advance(replace(current, cursor=part.window.cursor), page, ())
        if not advance.ended:
            self._waiting.append(_Part(after_page(part.window, page), part.tracker, part.restarts))
        return replace(advance.current, cursor=None)


def is_long(current: Pass, page: Page, *, left: int, long_list: int) -> bool:
    """Whether a pass that goes on after a page, to the end of its list, had better do so in windows."""
    to_the_end = current.full or current.phase is Phase.FRESH
    return (
        to_the_end and left >= long_list and page.next_cursor is not None and _depth(page, None) is not None
    )


def rest_after(page: Page, *, since: datetime | None, left: int) -> Window:
    """What is left of a list after its first page, as one window."""
    return after_page(Window(since, None, expected=left + len(page.items)), page)


def after_page(window: Window, page: Page) -> Window:
    """A window that goes on after a page. More than was expected may be left: then as many as were read."""
    read = window.read + len(page.items)
    expected = max(window.expected - len(page.items), read)
    oldest = _depth(page, window.oldest) if window.oldest or not window.read else None
    return replace(window, cursor=page.next_cursor, read=read, expected=expected, oldest=oldest)


def divide(windows: Sequence[Window], *, wanted: int, posted_at: datetime | None, worth: int) -> list[Window]:
    """The same parts of the list in as many windows as wanted, the fullest divided first.

    One that holds fewer than `worth` items is not divided: that would cost a request and save none.
    """
    whole: list[Window] = []
    parts = sorted(windows, key=_fullness)
    while parts and len(parts) + len(whole) < wanted:
        fullest = parts.pop()
        halves = halve(fullest, posted_at) if fullest.expected >= worth else None
        if halves is None:
            whole.append(fullest)
        else:
            parts = sorted([*parts, *halves], key=_fullness)
    return [*reversed(parts), *whole]


def divisions_worth(windows: Sequence[Window]) -> int:
    """How often windows may be divided, each for the price of an item or two: one in a hundred of what is left."""
    return max(FEW, sum(window.expected for window in windows) // 100)


def halve(window: Window, posted_at: datetime | None) -> tuple[Window, Window] | None:
    """The newer and the older half of what is left of a window; None when there is no moment between.

    Attention fades by a power of the age, so halves are equal in the logarithm of the tweet's age. The newer
    half is asked for anew from the second of the oldest item on: what that second holds is read twice.
    """
    if window.read and window.oldest is None:
        return None  # what is read of it has no end in time: only its cursor knows what is left
    tops = [window.until, window.oldest and _whole(window.oldest) + SECOND]
    top = min((moment for moment in tops if moment is not None), default=None)
    bottom = window.since or posted_at
    if top is None or bottom is None or posted_at is None:
        return None
    low, high = ((moment - posted_at).total_seconds() + YOUNG for moment in (bottom, top))
    if low <= 0 or high <= low:
        return None
    middle = _whole(posted_at + timedelta(seconds=sqrt(low * high) - YOUNG))
    if not bottom + SECOND <= middle <= top - SECOND:
        return None
    older = window.expected // 2
    return (
        Window(middle, top, expected=window.expected - older),
        Window(window.since, middle, expected=older),
    )


def _fullness(window: Window) -> int:
    return window.expected


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _depth(page: Page, above: datetime | None) -> datetime | None:
    """Down to what moment a list is read with a page below `above`; None when its order does not tell.

    One old post on top, a thread of its author's, a list by relevance: everything else may still be to come.
    """
    moments = [item.engaged_at for item in page.items if item.engaged_at is not None]
    if not moments:
        return above
    order = [_whole(moment) for moment in (above, *moments) if moment is not None]
    return moments[-1] if all(older <= newer for newer, older in pairwise(order)) else None


def _window(part: _Part) -> Window:
    return part.window
