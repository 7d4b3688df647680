"""Processes that tell everything when they fail."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Union

Argument = Union[str, Path]
Completed = subprocess.CompletedProcess[str]

RUNNER_SECONDS = 120
"""A command of a Runner that takes longer hangs."""


class CommandError(Exception):
    """A command ended with an error or ran out of time; the message holds all it said."""


def run(
    argv: Sequence[Argument], *, check: bool = True, stdin: str = "", timeout: float = 180, title: str = ""
) -> Completed:
    """Run a command to its end and return its status and text output.

    Raises CommandError when it takes longer than `timeout` seconds, and with `check` when it fails. The message
    calls the command `title` where its own words would hide what it does.
    """
    words = [str(word) for word in argv]
    title = title or " ".join(words)
    try:
        completed = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as expired:
        raise CommandError(f"{title}: not finished after {timeout} s") from expired
    if check and completed.returncode != 0:
        raise CommandError(
            f"{title}: status {completed.returncode}\n--- stdout\n{completed.stdout}--- stderr\n{completed.stderr}"
        )
    return completed


def processor_seconds_of_children() -> float:
    """Return what all children of this process that have ended took of processors, and so all that they waited for.

    It says what something costs, also on a machine that has other things to do.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Runner:
    """Runs commands at one place: in the namespaces of this process, if `command` does not say otherwise."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs this in there."""
        return list(argv)

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        """Run a command in there and return what it prints; with ``check``, it has to succeed."""
        title = f"{' '.join(argv)}\n{stdin}"
        return run(self.command(argv), check=check, stdin=stdin, timeout=RUNNER_SECONDS, title=title).stdout

    def nft(self, *commands: str) -> None:
        """Change the ruleset in one step."""
        self.run("nft", "-f", "-", stdin="\n".join(commands))
