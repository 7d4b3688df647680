"""Waiting for a condition, never for a time."""

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")


class WaitError(Exception):
    """A condition did not become true in time; the message holds the last value seen."""


def wait_for(condition: Callable[[], Value], what: str, timeout: float = 30) -> Value:
    """Call `condition` until what it returns is true, and return that.

    Raises WaitError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise WaitError(f"{what}: not within {timeout} s, last seen: {value!r}")
        time.sleep(0.1)
