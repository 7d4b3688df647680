"""The output of the demo: a line for each step, with its seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class NotAsPromisedError(Exception):
    """The demo could not show what it promises."""


def tell(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Print a step and its seconds, which count on a terminal while the block runs."""
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
    """Print a question and its answer. NotAsPromisedError if the answer is not the expected one."""
    tell(f"  {question}\n      {answer or 'no answer'}")
    if answer != expected:
        raise NotAsPromisedError(f"expected {expected or 'no answer'}")
