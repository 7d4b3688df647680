"""The tasks of ``install`` and ``uninstall``: printed by a dry run, or carried out."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host import Host
from nethook.host.process import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nethook.host.process import Tools

SECONDS = 60.0
"""For all programs of an installation together, but those that wait for a unit."""


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


def patient_host() -> Host:
    """Return this host, where one program may take all the time: nobody waits, and systemd is slow on a busy host."""
    return Host(SECONDS, call_seconds=math.inf)


def remove(path: str) -> Task:
    """Return the task that removes a file."""
    return Task(f"remove {path}", f"- {path}", lambda: os.unlink(path))


def show(tasks: Iterable[Task], tell: Callable[[str], object] = print) -> list[str]:
    """Tell the tasks as a dry run does, and return them."""
    planned = [task.planned for task in tasks]
    for each in planned:
        tell(f"would {each}")
    return planned


def run_tasks(tasks: Iterable[Task]) -> int:
    """Carry out the tasks, with a line on stdout for each and a sentence on stderr for each failure.

    Return the exit status.
    """
    return DIFFERENT if carry_out(tasks, print).failures else OK


class Done(NamedTuple):
    """The tasks that were done, and a sentence for each failure."""

    done: list[str]
    failures: list[str]


def carry_out(tasks: Iterable[Task], tell: Callable[[str], object]) -> Done:
    """Carry out the tasks. ``tell`` each one that is done, and write each failure to stderr."""
    found = Done([], [])
    for task in tasks:
        try:
            task.run()
        except (NethookError, OSError) as error:
            what = str(error) if isinstance(error, NethookError) else f"cannot {task.planned}: {error.strerror}"
            warn(what)
            found.failures.append(what)
            if task.ends_run:
                break
        else:
            found.done.append(task.done)
            tell(task.done)
    return found


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
