"""Questions to ``ip`` that have JSON as their answer, many with one process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nethook.errors import ReadError
from nethook.kernel.batch import refusals
from nethook.kernel.process import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.kernel.process import Tools


class Answer:
    """What ``ip`` lists as the answer to one question, or what the kernel says instead (then ``listed`` is empty)."""

    __slots__ = ("error", "listed")

    def __init__(self, listed: Sequence[dict[str, Any]], error: str = "") -> None:
        self.listed = listed
        self.error = error

    @property
    def first(self) -> dict[str, Any]:
        """The first that is listed; empty if nothing is."""
        return self.listed[0] if self.listed else {}


def ask(tools: Tools, family: int, questions: Sequence[str]) -> list[Answer]:
    """The answers, in order. ReadError if they are not known."""
    if not questions:
        return []
    call = Call(("ip", f"-{family}", "-json", "-force", "-batch", "-"), "\n".join(questions) + "\n")
    result = tools.run(call)
    refused = refusals(result)
    if result.status is None or (result.status != 0 and not refused):
        raise ReadError(result.failure)
    answers = []
    rest = result.out.lstrip()
    try:
        for number in range(len(questions)):
            if number in refused:
                answers.append(Answer([], refused[number]))
                continue
            listed, end = json.JSONDecoder().raw_decode(rest)
            answers.append(Answer([entry for entry in listed if entry]))
            rest = rest[end:].lstrip()
    except ValueError:
        raise ReadError(result.not_understood) from None
    return answers
