"""Reads the windows of one pass side by side, each to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime

from socap_cli.errors import CursorRefused, OutOfPages, TurnTooFar
from socap_cli.model.account import Page
from socap_cli.model.list_state import Pass, Window
from socap_cli.work import windows
from socap_cli.work.delta import RESTARTS
from socap_cli.work.tracker import PassTracker


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
        self._divisions = windows.divisions_worth(current.windows)
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
        parts = windows.divide(whole, wanted=wanted, posted_at=self.posted_at, worth=self.worth)
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
            self._waiting.append(_Part(windows.after_page(part.window, page), part.tracker, part.restarts))
        return replace(advance.current, cursor=None)


def _window(part: _Part) -> Window:
    return part.window
