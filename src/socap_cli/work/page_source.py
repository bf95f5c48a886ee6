"""The pages of one list: of a pass that stands somewhere, or of one of its windows."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime

from socap_cli.client.metered import ListRequest
from socap_cli.model.account import Page
from socap_cli.model.list_state import Pass, Phase, Window
from socap_cli.model.queue import Unit
from socap_cli.work.context import WorkContext


class PageSource:
    """Asks for what one unit reads."""

    def __init__(self, context: WorkContext, unit: Unit) -> None:
        self._context, self._unit = context, unit
        self._ahead: tuple[ListRequest, Future[Page]] | None = None
        """The next page, asked for already."""

    def page(self, current: Pass) -> Page:
        """The page at which a pass stands. Raises what the client raises."""
        wanted = self._next(current)
        asked, self._ahead = self._ahead, None
        if asked is not None and asked[0] == wanted:
            return asked[1].result()
        return self._context.client.page(wanted)

    def window(self, window: Window) -> Page:
        """The page at which a window stands; for several threads at once. Raises what the client raises."""
        return self._context.client.page(self._request(window.cursor, window.since, window.until))

    def read_ahead(self, current: Pass, page: Page) -> None:
        """Ask for the page after this one while this one is stored: a full pass reads it in any case."""
        more = page.next_cursor is not None and page.next_cursor != current.cursor
        if current.full and more and page.items:
            following = self._next(replace(current, cursor=page.next_cursor))
            self._ahead = following, self._context.ahead.submit(self._context.client.page, following)

    def _next(self, current: Pass) -> ListRequest:
        since, older = current.since, current.phase is Phase.OLDER
        return self._request(current.cursor, None if older else since, since if older else None)

    def _request(self, cursor: str | None, since: datetime | None, until: datetime | None) -> ListRequest:
        unit = self._unit
        return ListRequest(
            unit.kind, unit.jobs[0].tweet_id, unit.campaigns, cursor=cursor, since=since, until=until
        )
