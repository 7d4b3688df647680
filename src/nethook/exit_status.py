"""The exit statuses of ``nethook``, the same for every verb. nethook(8) lists them."""

from __future__ import annotations

OK = 0
"""Done, or nothing to do, or nothing wrong."""

DIFFERENT = 1
"""check: problems; plan: changes; status: an address is not as it should be; else: refused, or a part has failed."""

UNKNOWN = 2
"""It could not be found out, or the command line is wrong; nothing was changed."""

DEFECT = 70
"""A defect of this program (EX_SOFTWARE of sysexits.h)."""

INTERRUPTED = 130
"""Ctrl-C, as shells have it: 128 and the number of the signal."""
