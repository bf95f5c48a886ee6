"""The pages of one list: of a pass that stands somewhere, or of one of its windows."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

from socap_cli.client.metered import ListRequest
from socap_cli.model import Page, Pass, Phase, Unit, Window
from socap_cli.work.context import WorkContext


class PageSource:
    """Asks for what one unit reads."""

    def __init__(self, context: WorkContext, unit: Unit) -> None:
        self._context, self._unit = context, unit
        self._ahead: tuple[ListRequest, Future[Page]] | None = None
        """The next page, asked for already."""

    def page(self, current: Pass) -> Page:
        """The page at which a pass stands. Raises what the client raises."""
        wanted = self._request(current)
        asked, self._ahead = self._ahead, None
        if asked is not None and asked[0] == wanted:
            return asked[1].result()
        return self._context.client.page(wanted)

    def window(self, window: Window) -> Page:
        """The page at which a window stands; for several threads at once. Raises what the client raises."""
        asked = ListRequest(
            self._unit.kind,
            self._unit.jobs[0].tweet_id,
            self._unit.campaigns,
            cursor=window.cursor,
            since=window.since,
            until=window.until,
        )
        return self._context.client.page(asked)

    def read_ahead(self, current: Pass, page: Page) -> None:
        """Ask for the page after this one while this one is stored: a full pass reads it in any case."""
        more = page.next_cursor is not None and page.next_cursor != current.cursor
        if current.full and more and page.items:
            following = self._request(replace(current, cursor=page.next_cursor))
            self._ahead = following, self._context.ahead.submit(self._context.client.page, following)

    def _request(self, current: Pass) -> ListRequest:
        return ListRequest(
            self._unit.kind,
            self._unit.jobs[0].tweet_id,
            self._unit.campaigns,
            cursor=current.cursor,
            since=current.since if current.phase is Phase.FRESH else None,
            until=current.since if current.phase is Phase.OLDER else None,
        )
