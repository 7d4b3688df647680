"""The exit statuses of ``nethook``, the same for every verb. nethook(8) lists them."""

from __future__ import annotations

OK = 0
"""Done, nothing to do, or nothing wrong."""

DIFFERENT = 1
"""check: mistakes; plan: changes; status: a line is not in force; other verbs: refused, or a part has failed."""

UNKNOWN = 2
"""Something could not be read, or the command line is wrong; nothing was changed."""

DEFECT = 70
"""A defect of this program (EX_SOFTWARE of sysexits.h)."""

INTERRUPTED = 130
"""Ctrl-C, as shells report it: 128 and the number of the signal."""
