"""How the demo tells what it does: a line for each step, with the seconds of one that takes long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class NotAsPromisedError(Exception):
    """What the demo wanted to show did not happen."""


def tell(text: str) -> None:
    """A line by itself."""
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """A step that takes a while: on a terminal the seconds count while it runs."""
    started = time.monotonic()
    ended = threading.Event()
    ticker = threading.Thread(target=_tick, args=(text, started, ended), daemon=True)
    if sys.stdout.isatty():
        ticker.start()
    try:
        yield
    finally:
        ended.set()
        if ticker.ident:
            ticker.join()
            print("\r", end="")
    tell(f"  {text} … {time.monotonic() - started:.0f} s")


def _tick(text: str, started: float, ended: threading.Event) -> None:
    while not ended.wait(0.5):
        print(f"\r  {text} … {time.monotonic() - started:.0f} s", end="", flush=True)


def show(question: str, answer: str | None, expected: str | None) -> None:
    """Say what came out; NotAsPromisedError if it is not what the reader was promised."""
    tell(f"  {question}\n      {answer or 'no answer'}")
    if answer != expected:
        raise NotAsPromisedError(f"expected {expected or 'no answer'}")
