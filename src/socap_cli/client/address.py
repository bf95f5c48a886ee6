"""Is it one tweet that is not there, or is nothing of the provider at its address? One answer alone cannot tell."""

from __future__ import annotations

import threading
from collections.abc import Callable

from socap_cli.errors import NotFound, ProviderError, ProviderUnavailable, WrongAddress

DOUBTS_TO_ASK = 3
"""So many answers of *not found*, and no other, are reason to ask for what is there at every right address."""


class AddressCheck:
    """Follows a run's answers. Threads share it."""

    def __init__(self, ask: Callable[[], object]) -> None:
        """`ask` asks for something that is about no tweet, and free."""
        self._ask = ask
        self._proven = False
        self._doubts = 0
        self._lock = threading.Lock()

    def answered(self) -> None:
        """Something was answered well: the address is right, whatever single tweets are told."""
        self._proven = True

    def failed(self, error: ProviderError) -> None:
        """Take an error in. Raises WrongAddress when everything so far was answered by *not found*."""
        if not error.doubts_address or self._proven:
            return
        with self._lock:
            self._doubts += 1
            if self._doubts < DOUBTS_TO_ASK or self._proven:
                return
            try:
                self._ask()
            except NotFound as second:
                raise WrongAddress(second.message, hint="check TWITTER_API_URL") from None
            except ProviderUnavailable:
                return
            except ProviderError:
                pass
            self._proven = True
