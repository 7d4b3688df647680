"""What ``ip -json -batch`` prints: a list of objects for each line of the batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nethook.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.process import Result


def json_lists(result: Result, number: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the first ``number`` lists, without empty objects, which ip prints for what it filters out.

    ReadError for anything else.
    """
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
