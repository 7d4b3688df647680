"""Processes that tell everything when they fail."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Union

Argument = Union[str, Path]
Completed = subprocess.CompletedProcess[str]


class CommandError(Exception):
    """A command ended with an error or ran out of time; the message holds all it said."""


def run(argv: Sequence[Argument], *, check: bool = True, stdin: str | None = None, timeout: float = 60) -> Completed:
    """Run a command to its end and return its status and text output.

    Raises CommandError when it takes longer than `timeout` seconds, and with `check` when it fails.
    """
    words = [str(word) for word in argv]
    try:
        completed = subprocess.run(
            words, input=stdin or "", capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as expired:
        raise CommandError(f"{' '.join(words)}: not finished after {timeout} s") from expired
    if check and completed.returncode != 0:
        raise CommandError(describe(completed))
    return completed


def describe(completed: Completed) -> str:
    return (
        f"{' '.join(completed.args)}: status {completed.returncode}\n"
        f"--- stdout\n{completed.stdout}--- stderr\n{completed.stderr}"
    )
