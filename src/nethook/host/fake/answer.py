"""The answers of fake tools, and their errors."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """The exit status of a tool, and what it printed on both outputs."""

    status: int = 0
    out: str = ""
    err: str = ""


class Refused(Exception):  # noqa: N818 - the kernel's answer, not a defect
    """The kernel or a tool refuses a change; its text is what the tool prints on stderr."""


class NotFaked(BaseException):
    """The program asked for something that the fake does not have. No ``except Exception`` of the program hides it."""
