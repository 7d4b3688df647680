"""``ip -batch``: many changes by one process, a line for each."""

from __future__ import annotations

from nethook.host.process import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.process import Result


def batch(lines: Sequence[str], family: str = "") -> Call:
    """One process for all lines; a line that the kernel refuses does not keep the others from being tried.

    ``family`` is ``-4`` or ``-6``, for lines from which ip cannot tell.
    """
    return Call(("ip", *([family] if family else ()), "-force", "-batch", "-"), "\n".join(lines) + "\n")


def refusals(result: Result) -> dict[int, str]:
    """Which lines of a batch were refused (counted from 0), and what the kernel said."""
    refused: dict[int, str] = {}
    said: list[str] = []
    for line in result.err.splitlines():
        _, failed, number = line.rpartition("Command failed -:")
        if failed and number.isascii() and number.isdigit():
            refused[int(number) - 1] = "; ".join(said) or "refused"
            said = []
        else:
            said.append(line.removeprefix("RTNETLINK answers: ").removeprefix("Error: ").rstrip("."))
    return refused
