"""A list of what is to be done: printed, or done."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Step:
    """One thing to do: how a dry run calls it ("write FILE"), how it is called when done ("+ FILE"), and doing it.

    ``take`` raises NethookError or OSError when it fails.
    """

    def __init__(self, planned: str, done: str, take: Callable[[], None], *, ends_run: bool = False) -> None:
        self.planned = planned
        self.done = done
        self.take = take
        self.ends_run = ends_run
        """Whether what comes behind this step must not be done without it."""


def remove(path: str) -> Step:
    """Remove a file."""
    return Step(f"remove {path}", f"- {path}", lambda: os.unlink(path))


def show(steps: Iterable[Step]) -> None:
    """Print what would be done."""
    for step in steps:
        print(f"would {step.planned}")


def take(steps: Iterable[Step]) -> int:
    """Do it, a line for each on stdout, and a sentence on stderr for each failure. Returns the exit status."""
    status = OK
    for step in steps:
        try:
            step.take()
        except (NethookError, OSError) as error:
            warn(str(error) if isinstance(error, NethookError) else f"cannot {step.planned}: {error.strerror}")
            status = DIFFERENT
            if step.ends_run:
                break
        else:
            print(step.done)
    return status


def warn(message: str) -> None:
    """Say something on stderr."""
    print(f"nethook: {message}", file=sys.stderr)
