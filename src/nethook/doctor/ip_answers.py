"""Asking ``ip`` many questions with one process, and reading its answers in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.errors import ReadError
from nethook.host.links import available
from nethook.host.process import Call, json_lists, refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.process import Tools


class Answer:
    """The answer of ``ip`` to one question: the objects it lists, or the error of the kernel."""

    __slots__ = ("error", "listed")

    def __init__(self, listed: Sequence[dict[str, Any]], error: str = "") -> None:
        self.listed = listed
        self.error = error

    @property
    def first(self) -> dict[str, Any]:
        """The first object in the list, {} without one."""
        return self.listed[0] if self.listed else {}


MOST_QUESTIONS = 400
"""The most questions for one process, which has a time limit: some questions make ``ip`` read all routes."""


def ask(tools: Tools, family: int, questions: Sequence[str]) -> list[Answer]:
    """Return the answers, in order. For a family that the kernel lacks, they are empty. ReadError if ``ip`` fails."""
    if family not in available():
        return [Answer([]) for _ in questions]
    return [
        answer
        for start in range(0, len(questions), MOST_QUESTIONS)
        for answer in _ask(tools, family, questions[start : start + MOST_QUESTIONS])
    ]


def _ask(tools: Tools, family: int, questions: Sequence[str]) -> list[Answer]:
    call = Call(("ip", f"-{family}", "-json", "-force", "-batch", "-"), "\n".join(questions) + "\n")
    result = tools.run(call)
    refused = refusals(result)
    if result.status is None or (result.status != 0 and not refused):
        raise ReadError(result.failure)
    lists = json_lists(result, len(questions) - len(refused))
    return [
        Answer([], refused[number]) if number in refused else Answer(next(lists)) for number in range(len(questions))
    ]
