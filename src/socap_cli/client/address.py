"""Is it one tweet that is not there or kept from us, or the address or the key? One answer alone cannot tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf

from socap_cli.errors import Forbidden, KeyRefused, NotFound, ProviderError, ProviderUnavailable, WrongAddress

DOUBTS_TO_ASK = 3
"""So many answers of *not found*, and no other, are reason to ask for what is there at every right address."""


PROVEN_FOR = 60.0
"""Seconds for which an account that answers proves its key."""


class KeyCheck:
    """Whether the account itself is refused when a request is. Threads share it."""

    def __init__(self, ask: Callable[[], object]) -> None:
        """`ask` asks for something of the account, free; what it returns is None when nothing was told."""
        self._ask = ask
        self._proven_at = -inf
        self._lock = threading.Lock()

    def failed(self, error: ProviderError) -> None:
        """Take an error in. Raises KeyRefused for a 403 unless the account answers with the same key."""
        if not isinstance(error, Forbidden):
            return
        with self._lock:
            if time.monotonic() - self._proven_at < PROVEN_FOR:
                return
            try:
                told = self._ask()
            except ProviderError:
                told = None
            if told is None:
                raise KeyRefused(f"the key was refused: {error.message}", hint=error.hint) from None
            self._proven_at = time.monotonic()


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
