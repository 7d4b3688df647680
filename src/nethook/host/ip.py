"""``ip -batch``: many changes or questions by one process, a line for each."""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.host.process import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from nethook.host.process import Result


def batch(lines: Sequence[str], family: str = "") -> Call:
    """Return the call that makes these changes. If the kernel refuses a line, the others are tried all the same.

    ``family`` is ``-4`` or ``-6``, for lines from which ip cannot tell.
    """
    return Call(("ip", *([family] if family else ()), "-force", "-batch", "-"), "\n".join(lines) + "\n")


def refusals(result: Result) -> dict[int, str]:
    """Return the lines of a batch that were refused (counted from 0), with what the kernel said."""
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


def json_lists(result: Result, number: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the first ``number`` lists that ``ip -json -batch`` printed, one for each line of the batch.

    ip prints empty objects for what it filters out: they are left out. ReadError for any other output.
    """
    import json  # noqa: PLC0415 - a hook never needs it

    rest = result.out.lstrip()
    for _ in range(number):
        try:
            listed, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            raise ReadError(result.not_understood) from None
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise ReadError(result.not_understood)
        yield [entry for entry in listed if entry]
        rest = rest[end:].lstrip()
