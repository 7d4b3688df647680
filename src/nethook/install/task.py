"""The tasks of ``install`` and ``uninstall``: printed by a dry run, or carried out."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host.process import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nethook.host.process import Tools


class RefusedError(NethookError):
    """Installing would do harm, or would overwrite a foreign file. The text says what to do first."""


class Task:
    """One task: its name in a dry run ("write FILE"), its name when it is done ("+ FILE"), and the function ``run``.

    ``run`` raises NethookError or OSError if it fails.
    """

    def __init__(self, planned: str, done: str, run: Callable[[], None], *, ends_run: bool = False) -> None:
        self.planned = planned
        self.done = done
        self.run = run
        self.ends_run = ends_run
        """If this task fails, leave out those after it."""


def remove(path: str) -> Task:
    """Return the task that removes a file."""
    return Task(f"remove {path}", f"- {path}", lambda: os.unlink(path))


def show(tasks: Iterable[Task]) -> None:
    """Print the tasks as a dry run does."""
    for task in tasks:
        print(f"would {task.planned}")


def run_tasks(tasks: Iterable[Task]) -> int:
    """Carry out the tasks, with a line on stdout for each and a sentence on stderr for each failure.

    Return the exit status.
    """
    status = OK
    for task in tasks:
        try:
            task.run()
        except (NethookError, OSError) as error:
            warn(str(error) if isinstance(error, NethookError) else f"cannot {task.planned}: {error.strerror}")
            status = DIFFERENT
            if task.ends_run:
                break
        else:
            print(task.done)
    return status


def warn(message: str) -> None:
    """Print a message on stderr."""
    print(f"nethook: {message}", file=sys.stderr)


def must(tools: Tools, *argv: str) -> None:
    """Run the program. NethookError, with its own message, if it fails."""
    result = tools.run(Call(argv))
    if result.status != 0:
        raise NethookError(result.failure)


def succeeds(tools: Tools, *argv: str) -> bool:
    """Run the program, and return whether it succeeds."""
    return tools.run(Call(argv)).status == 0
