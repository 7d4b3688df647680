"""Faults of the fake host: at one of its touches, which are counted, something goes wrong."""

from __future__ import annotations

import enum
from typing import NamedTuple

DELETION = "deletion of connections"


class Fault(enum.Enum):
    """A fault. With a value that ends in AFTER, the request is done all the same."""

    FAILS = "fails"
    """A tool ends with exit status 1; a read or a write raises what the edge raises."""
    FAILS_AFTER = "fails after it has done it"
    GARBAGE = "prints garbage"
    """A tool that does nothing, prints nonsense, and ends with exit status 0."""
    HANGS = "hangs"
    HANGS_AFTER = "hangs after it has done it"
    KILLS_BEFORE = "the program is killed before"
    KILLS_AFTER = "the program is killed after"


class Killed(BaseException):
    """The program was killed. No ``except Exception`` of the program hides it."""


class Touch(NamedTuple):
    """One thing that the program asked of the host: what, whether by a tool, and whether it changes anything."""

    what: str
    by_tool: bool
    changes: bool

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults that differ here. To be killed before or after it is the same where nothing changes.

        That a setting of a device was switched is recorded and not read again, so there a tool must not lie.
        """
        if self.what == DELETION:
            return Fault.FAILS, Fault.HANGS, Fault.KILLS_AFTER
        if not self.by_tool:
            return (Fault.FAILS, Fault.KILLS_AFTER) if self.changes else (Fault.FAILS,)
        if not self.changes:
            return (Fault.FAILS, Fault.GARBAGE, Fault.HANGS)
        faults = (Fault.FAILS, Fault.FAILS_AFTER, Fault.HANGS, Fault.HANGS_AFTER, Fault.KILLS_AFTER)
        return faults if self.what.startswith("ip link set ") else (*faults, Fault.GARBAGE)
