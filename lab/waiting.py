"""Wait for a condition, never for a time."""

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.1
"""Seconds between two looks: the pauses grow from the first to the longest."""


class WaitError(Exception):
    """A condition did not become true in time; the message holds the last value seen."""


def wait_for(condition: Callable[[], Value], what: str, timeout: float = 30) -> Value:
    """Call `condition` until it returns something true, and return that.

    Raises WaitError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    pause = FIRST_PAUSE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise WaitError(f"{what}: not within {timeout} s, last seen: {value!r}")
        time.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE)
